"""Work in a process of its own, which may end in any way without ending this one.

    done = apart("acclimate.release.forms.measuring", {"form": "gguf-q8_0", …})    # here
    def main() -> int: return answer(measure)                                       # there

Arguments and result are JSON in files: what libraries print is not in the way. llama.cpp aborts on what it does not
expect, and brings an OpenMP runtime beside torch's.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acclimate.core.errors import UserError
from acclimate.core.files import read_json, write_json


@dataclass(frozen=True)
class Failed:
    """The process ended without a result."""

    reason: str


def apart(module: str, arguments: dict[str, Any]) -> dict[str, Any] | Failed:
    """What `module`, run as a program, answers to `arguments`; or in a line why it does not."""
    with tempfile.TemporaryDirectory() as folder:
        asked, result = Path(folder) / "asked.json", Path(folder) / "result.json"
        write_json(asked, arguments)
        command = [sys.executable, "-m", module, str(asked), str(result)]
        # Or else ggml has a debugger, where there is one, print forty lines after the one that says what is wrong.
        quiet = {**os.environ, "GGML_NO_BACKTRACE": "1"}
        done = subprocess.run(command, env=quiet, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode == 0:
            answered: dict[str, Any] = read_json(result)
            return answered
    if done.returncode < 0:
        return Failed(f"ended by {signal.Signals(-done.returncode).name}: {_last_line(done.stderr)}")
    return Failed(_last_line(done.stderr))


def answer(work: Callable[..., dict[str, Any]]) -> int:
    """Do `work` with the arguments that `apart` has written, and leave its result where that looks for it."""
    asked, result = map(Path, sys.argv[1:])
    try:
        write_json(result, work(**read_json(asked)))
    except UserError as fault:
        print(f"{fault.what}: {fault.why}; {fault.fix}", file=sys.stderr)
        return 2
    return 0


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
