"""Fresh checkouts to run the whole pipeline in: what is tested is what a clone would hold."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from acclimate.core.params import with_changes
from acclimate.core.worktrees import share_compiled, snapshot

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Checkout:
    """A clone with its own DVC cache and state, using the environments of the tested checkout."""

    path: Path

    def environment(self) -> dict[str, str]:
        others = ("ACCLIMATE_", "MLFLOW_", "MAKE")  # a make below `make test` is not one of its jobs
        kept = {name: value for name, value in os.environ.items() if not name.startswith(others)}
        kept.pop("PYTHONDONTWRITEBYTECODE", None)
        return {
            **kept,
            "PATH": f"{ROOT / '.venv/bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(self.path / "include"),
            "ACCLIMATE_BIN": str(ROOT / ".venv/bin"),
            "ACCLIMATE_AIRFLOW_BIN": str(ROOT / ".venv-airflow/bin"),
        }

    def run(self, *command: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=cwd or self.path,
            env=self.environment(),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )

    def succeed(self, *command: str) -> str:
        done = self.run(*command)
        assert done.returncode == 0, f"{' '.join(command)} → {done.returncode}\n{done.stdout[-6000:]}"
        return done.stdout

    def set(self, changes: dict[str, Any]) -> None:
        params = self.path / "params.yaml"
        params.write_text(with_changes(params.read_text(encoding="utf-8"), changes), encoding="utf-8")


def clone(path: Path) -> Checkout:
    """A clone of the checkout as it is now, uncommitted changes of tracked files included."""
    commit = snapshot(ROOT)
    for command in (
        ["git", "clone", "--quiet", "--no-checkout", str(ROOT), str(path)],
        ["git", "-C", str(path), "fetch", "--quiet", str(ROOT), commit],
        ["git", "-C", str(path), "checkout", "--quiet", "--detach", commit],
    ):
        subprocess.run(command, check=True)
    share_compiled(ROOT, path)
    return Checkout(path)


@pytest.fixture(scope="session")
def new_checkout(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Checkout]:
    return lambda name: clone(tmp_path_factory.mktemp("checkouts") / name)


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
