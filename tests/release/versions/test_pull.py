from __future__ import annotations

from pathlib import Path

import pytest

from acclimate.core.errors import UserError
from acclimate.release.evidence import ADAPTER_WEIGHTS
from acclimate.release.keys import trusted_key
from acclimate.release.register import register
from acclimate.release.registry import connect
from acclimate.release.signing import verify
from acclimate.release.versions.finding import find
from acclimate.release.versions.pull import pull

MODEL = "acclimate-scientific-python"


def test_an_adapter_pulled_by_its_alias_is_the_one_that_was_registered_and_loads(
    gated_run: Path, tmp_path: Path
) -> None:
    from acclimate.model.adapter import load_adapted

    register(gated_run)
    to = tmp_path / "pulled"
    assert pull(find(connect(), MODEL, "challenger"), to)
    assert (to / ADAPTER_WEIGHTS).read_bytes() == (gated_run / "artifacts/compose" / ADAPTER_WEIGHTS).read_bytes()
    assert load_adapted(gated_run / "artifacts/base", to).num_parameters() > 0


def test_pulling_again_changes_nothing(gated_run: Path, tmp_path: Path) -> None:
    register(gated_run)
    version, to = find(connect(), MODEL, "1"), tmp_path / "pulled"
    pull(version, to)
    written = (to / ADAPTER_WEIGHTS).stat().st_mtime_ns
    assert not pull(version, to)
    assert (to / ADAPTER_WEIGHTS).stat().st_mtime_ns == written


def test_a_folder_that_holds_something_else_is_left_alone(gated_run: Path, tmp_path: Path) -> None:
    register(gated_run)
    (tmp_path / "mine").mkdir()
    with pytest.raises(UserError, match="mine exists and holds no adapter"):
        pull(find(connect(), MODEL, "1"), tmp_path / "mine")


def test_weights_that_changed_in_the_registry_are_refused_and_nothing_is_left(
    gated_run: Path, home_folder: Path, tmp_path: Path
) -> None:
    register(gated_run)
    (stored,) = (home_folder / ".acclimate/mlflow/artifacts").rglob(ADAPTER_WEIGHTS)
    stored.write_bytes(stored.read_bytes()[:-1] + b"x")
    with pytest.raises(UserError, match="registered was"):
        pull(find(connect(), MODEL, "1"), tmp_path / "pulled")
    assert not (tmp_path / "pulled").exists()


def test_settings_that_changed_in_the_registry_are_refused_by_name(
    gated_run: Path, home_folder: Path, tmp_path: Path
) -> None:
    register(gated_run)
    (stored,) = (home_folder / ".acclimate/mlflow/artifacts").rglob("adapter_config.json")
    stored.write_text(stored.read_text(encoding="utf-8").replace("CAUSAL_LM", "SEQ_CLS"), encoding="utf-8")
    with pytest.raises(UserError, match=r"adapter_config\.json was changed"):
        pull(find(connect(), MODEL, "1"), tmp_path / "pulled")


def test_a_pulled_adapter_carries_its_signature(gated_run: Path, tmp_path: Path) -> None:
    register(gated_run)
    pull(find(connect(), MODEL, "1"), tmp_path / "pulled")
    verify(tmp_path / "pulled", trusted_key())
