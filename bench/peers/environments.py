"""Peers of a benchmark, each in an environment of its own: bench/.peers/<name>, from bench/peers/<name>.txt.

One that is an engine of ours too (text-dedup) has its environment already: acclimate.data.engines.environments.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from acclimate.core.environments import make

ENVIRONMENTS = Path(__file__).parents[1] / ".peers"


def environment(name: str) -> Path:
    """The Python of the peer's environment; made when it is not there yet.

    Raises:
        subprocess.CalledProcessError: if pip cannot install it; what pip said is in the exception.
    """
    ENVIRONMENTS.mkdir(exist_ok=True)
    return make(ENVIRONMENTS / name, Path(__file__).with_name(f"{name}.txt"))


def version(python: Path, package: str) -> str:
    """The installed version of a package in a peer's environment."""
    code = f"import importlib.metadata; print(importlib.metadata.version('{package}'))"
    return subprocess.run([str(python), "-c", code], check=True, capture_output=True, text=True).stdout.strip()
