"""Peers of a benchmark, each in an environment of its own: bench/.peers/<name>, from bench/peers/<name>.txt."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ENVIRONMENTS = Path(__file__).parents[1] / ".peers"


def environment(name: str) -> Path:
    """The Python of the peer's environment; made when it is not there yet.

    Raises:
        subprocess.CalledProcessError: if pip cannot install it; what pip said is in the exception.
    """
    home = ENVIRONMENTS / name
    done = home / ".installed"
    wanted = Path(__file__).with_name(f"{name}.txt")
    if not done.exists() or done.read_text(encoding="utf-8") != wanted.read_text(encoding="utf-8"):
        shutil.rmtree(home, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        subprocess.run(
            [str(home / "bin/pip"), "install", "--quiet", "-r", str(wanted)],
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        done.write_text(wanted.read_text(encoding="utf-8"), encoding="utf-8")
    return home / "bin/python"


def version(python: Path, package: str) -> str:
    """The installed version of a package in a peer's environment."""
    code = f"import importlib.metadata; print(importlib.metadata.version('{package}'))"
    return subprocess.run([str(python), "-c", code], check=True, capture_output=True, text=True).stdout.strip()
