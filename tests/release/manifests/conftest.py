from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from acclimate.core.files import write_json
from acclimate.release.keys import signing_key
from acclimate.release.manifests.writing import write
from acclimate.release.roles import places
from acclimate.serving.canary.record import Canary, now, read, replace
from acclimate.serving.state import Packaged, Serving

PARAMS = Path(__file__).parents[3] / "params.yaml"
MODEL = "acclimate-law"
Written = Callable[[], dict[str, dict[str, Any]]]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An ACCLIMATE_HOME of its own, in which something was signed once."""
    monkeypatch.setenv("ACCLIMATE_HOME", str(tmp_path))
    for name in ("ACCLIMATE_SIGNING_KEY", "ACCLIMATE_PUBLIC_KEY"):
        monkeypatch.delenv(name, raising=False)
    shutil.copyfile(PARAMS, tmp_path / "params.yaml")
    signing_key()
    return tmp_path


def packaged(home: Path, version: str) -> Packaged:
    """What a built Bento says of itself."""
    folder = home / f"v{version}"
    one = Packaged(version=version, folder=folder, sha256=version * 64)
    write_json(folder / "manifest.json", {"model": MODEL, "version": version, "sha256": one.sha256, "threads": 2})
    return one


@pytest.fixture
def serve(home: Path) -> Callable[..., None]:
    """serve("3", "4"): what is served as champion and as challenger."""

    def _serve(champion: str, challenger: str | None = None) -> None:
        tried = packaged(home, challenger) if challenger else None
        serving = Serving(champion=packaged(home, champion), challenger=tried)
        places().folder.mkdir(parents=True, exist_ok=True)
        places().serving.write_text(serving.model_dump_json(), encoding="utf-8")

    return _serve


@pytest.fixture
def begin() -> Callable[..., Canary]:
    """begin("3", "4"): a canary of these two, on file, at its baseline."""

    def _begin(champion: str, challenger: str) -> Canary:
        rules = {
            "shares": (0.01, 0.05),
            "alpha": 0.05,
            "bounds": {"errors": 0.1, "slow": 0.1, "complaints": 0.1},
            "slow_quantile": 0.9,
            "baseline_requests": 5,
            "min_requests": 10,
            "answers_per_user": 1,
        }
        given = {"key": f"v{challenger}-00ff", "model": MODEL, "champion": champion, "challenger": challenger}
        canary = Canary.model_validate({**given, "salt": "00", "rules": rules, "began": now(), "step_began": now()})
        assert replace(places().canary, read(places().canary), canary)
        return canary

    return _begin


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """written(): what `acclimate manifests` writes now, by the names of the files."""

    def _written() -> dict[str, dict[str, Any]]:
        out = tmp_path / "out"
        write(out)
        return {path.name: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(out.iterdir())}

    return _written
