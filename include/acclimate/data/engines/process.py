"""An engine as a process: nothing of it outlives us, its progress is ours, and its complaint reaches the user.

    run("spark", [python, "-m", …], environment, files=3, scratch=…)

It runs under core/supervise.py: Ctrl-C, a kill of this process, or the engine's own end leave no JVM and no worker
behind. Each line on its stdout is a file done; what it says on stderr is kept if it fails.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from acclimate.core.errors import UserError
from acclimate.core.home import state
from acclimate.core.progress import progress
from acclimate.core.supervise import command as supervised
from acclimate.core.supervise import environment as telling_parent

_RAISED = re.compile(r"^Traceback \(most recent call last\):\n(?:[ \t].*\n|\n)*(\S.*)$", re.MULTILINE)
"""A Python traceback, and the line below it that names the exception."""


def run(engine: str, command: Sequence[str], environment: dict[str, str], *, files: int, scratch: Path) -> None:
    """Run an engine to its end.

    Raises:
        UserError: if it fails; with what it complained of, and where all it said is kept.
    """
    log = scratch / "said"
    # Before the engine is there to be waited for: a Ctrl-C during an import can be lost in a callback of Python's own.
    bar = progress((), engine, unit="file", total=files)
    with log.open("wb") as said, bar:
        child = subprocess.Popen(
            supervised(list(command)),
            env=telling_parent(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
        )
        try:
            assert child.stdout is not None
            for _ in child.stdout:
                bar.update()
            code = child.wait()
        finally:
            child.terminate()
            child.wait()
    if code != 0:
        raise _failure(engine, code, log)


def _failure(engine: str, code: int, log: Path) -> UserError:
    kept = state() / "logs" / f"dedup-{engine}.log"
    kept.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(log, kept)
    said = complaint(log.read_text(encoding="utf-8", errors="replace"))
    return UserError(
        f"the engine {engine!r} ended with status {code}: {said}",
        why="which documents are near-duplicates is not known, so none was taken out",
        fix=f"mend what it complains of (all it said is in {kept}), or set dedup.engine to local in params.yaml",
    )


def complaint(said: str) -> str:
    """The exception that ended a program, if it was one of Python's; else the last line that it printed."""
    raised: list[str] = _RAISED.findall(said)
    return [*said.strip().splitlines(), *raised][-1] if said.strip() else "it said nothing"
