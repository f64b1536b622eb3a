from __future__ import annotations

from pathlib import Path

import pytest

from acclimate.core.errors import UserError
from acclimate.core.files import read_json, sha256, write_json
from acclimate.release.champion import fetch_champion
from acclimate.release.evidence import ADAPTER_FILES, ADAPTER_WEIGHTS
from acclimate.release.register import register
from acclimate.release.registry import CHAMPION, connect
from acclimate.release.weights import folder_sha256

MODEL = "acclimate-scientific-python"


def make_champion(checkout: Path) -> None:
    connect().set_registered_model_alias(MODEL, CHAMPION, register(checkout)["version"])


def test_without_a_champion_it_says_so_and_removes_a_former_champions_files(gated_run: Path) -> None:
    (gated_run / "champion").mkdir()
    for name in ADAPTER_FILES:
        (gated_run / "champion" / name).write_text("stale")
    assert fetch_champion(gated_run) == {"version": None}
    assert [path.name for path in (gated_run / "champion").iterdir()] == ["champion.json"]


def test_the_champions_adapter_is_the_one_that_was_registered(gated_run: Path) -> None:
    make_champion(gated_run)
    champion = fetch_champion(gated_run)
    train = gated_run / "artifacts/compose" / ADAPTER_WEIGHTS
    assert (gated_run / "champion" / ADAPTER_WEIGHTS).read_bytes() == train.read_bytes()
    assert champion == read_json(gated_run / "champion/champion.json")
    assert champion["version"] == "1"
    assert champion["run"] == "run-a"


def test_fetching_again_gives_the_same_bytes(gated_run: Path) -> None:
    make_champion(gated_run)
    fetch_champion(gated_run)
    first = folder_sha256(gated_run / "champion")
    fetch_champion(gated_run)
    assert folder_sha256(gated_run / "champion") == first


def test_the_base_comes_along_only_where_the_checkout_has_another(gated_run: Path) -> None:
    make_champion(gated_run)
    fetch_champion(gated_run)
    base = gated_run / "champion/base"
    assert not base.exists()
    report = gated_run / "reports/base.json"
    registered = read_json(report)
    write_json(report, registered | {"base_sha256": "0" * 64})
    fetch_champion(gated_run)
    assert (base / "config.json").exists()
    assert sha256(*sorted(base.glob("*.safetensors"))) == registered["base_sha256"]
    first = folder_sha256(base)
    fetch_champion(gated_run)
    assert folder_sha256(base) == first
    write_json(report, registered)
    fetch_champion(gated_run)
    assert not base.exists()


def test_a_base_that_changed_in_the_registry_is_refused(gated_run: Path, home_folder: Path) -> None:
    make_champion(gated_run)
    (gated_run / "reports/base.json").unlink()
    stored = next((home_folder / ".acclimate/mlflow/artifacts").rglob("base/*.safetensors"))
    stored.write_bytes(stored.read_bytes()[:-1] + b"x")
    with pytest.raises(UserError, match=r"the base of .* registered was"):
        fetch_champion(gated_run)
    assert not (gated_run / "champion/base").exists()


def test_an_adapter_that_changed_in_the_registry_is_refused(gated_run: Path, home_folder: Path) -> None:
    make_champion(gated_run)
    (stored,) = (home_folder / ".acclimate/mlflow/artifacts").rglob(ADAPTER_WEIGHTS)
    stored.write_bytes(stored.read_bytes()[:-1] + b"x")
    with pytest.raises(UserError, match="registered was"):
        fetch_champion(gated_run)
    assert not (gated_run / "champion" / ADAPTER_WEIGHTS).exists()


def test_a_registry_that_does_not_answer_is_the_users_fault_to_mend(
    gated_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.raises(UserError, match=r"no MLflow server answers at http://127\.0\.0\.1:9"):
        fetch_champion(gated_run)
