from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from acclimate.core.files import write_json
from acclimate.core.params import with_changes
from acclimate.release.canary.commands import COMMANDS
from acclimate.release.package import source_path
from acclimate.release.register import register
from acclimate.release.registry import connect
from acclimate.release.versions.moves import promote

MODEL = "acclimate-scientific-python"


def packaged(checkout: Path) -> str:
    """Register a run and put of its Bento into the store what names it; returns the version."""
    version = str(register(checkout)["version"])
    tag = f"{MODEL}:v{version}-00000000"
    write_json(source_path(tag) / "manifest.json", {"model": MODEL, "version": version, "sha256": f"{version}" * 64})
    connect().set_model_version_tag(MODEL, version, "bento", tag)
    return version


def wanted(checkout: Path, **dials: Any) -> None:
    """Have a run's params.yaml ask for a canary."""
    path = checkout / "params.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(with_changes(text, {"canary.enabled": True, **dials}), encoding="utf-8")


@pytest.fixture
def do(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """do(checkout, "stop", reason="…"): what the command prints there."""

    def run(checkout: Path, verb: str, **given: Any) -> str:
        monkeypatch.chdir(checkout)
        monkeypatch.setenv("PWD", os.fspath(checkout))
        return COMMANDS[verb](argparse.Namespace(**{"version": None, "own": False, "reason": "", **given}))

    return run


@pytest.fixture
def challenged(gated_run: Path, tmp_path: Path) -> Path:
    """The checkout of a challenger that wants a canary; another run's version is champion."""
    packaged(gated_run)
    promote(gated_run, MODEL)
    # The same weights as another version: nothing here looks at what a version answers.
    connect().set_model_version_tag(MODEL, "1", "adapter_sha256", "superseded")
    other = Path(shutil.copytree(gated_run, tmp_path / "run-b"))
    wanted(other)
    packaged(other)
    return other
