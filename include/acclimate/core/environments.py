"""Python environments beside our own: for packages whose pins conflict with ours, called as processes.

    python = make(state() / "engines/spark", Path("spark.txt"))
    subprocess.run([python, "-m", …])

An environment is whole if it holds a copy of the requirements that it was made from.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from acclimate.core.locks import locked


def made(home: Path, requirements: Path) -> Path | None:
    """The Python of the environment `home`, or None if it was not made, or of other requirements."""
    done = _mark(home)
    if not done.exists() or done.read_text(encoding="utf-8") != requirements.read_text(encoding="utf-8"):
        return None
    return home / "bin/python"


def make(home: Path, requirements: Path, options: Sequence[str] = ()) -> Path:
    """The Python of the environment `home`, made now if it is not there with these requirements.

    Args:
        home: the environment's folder.
        requirements: what pip is to install.
        options: more for `pip install`.

    Raises:
        subprocess.CalledProcessError: if pip cannot install it; what pip said is in the exception.
    """
    with locked(home.with_name(f".{home.name}.lock")):
        if made(home, requirements) is None:
            shutil.rmtree(home, ignore_errors=True)
            # Filled by our own pip: to put one into each environment takes longer than some need to be filled.
            subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True)
            pip = [sys.executable, "-m", "pip", "--python", str(home / "bin/python"), "install", "--quiet"]
            command = [*pip, "--no-cache-dir", *options, "-r", str(requirements)]
            subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            shutil.copyfile(requirements, _mark(home))
    return home / "bin/python"


def _mark(home: Path) -> Path:
    return home / ".installed"
