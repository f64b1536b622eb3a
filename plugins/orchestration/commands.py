"""Run a command of the other environment in a run's worktree, and say what went wrong in its own words."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from acclimate.core import supervise
from acclimate.core.home import home
from orchestration.place import commands

KEPT_LINES = 200
SHOWN_LINES = 25
USER_FAULT = 2
"""Exit status of `acclimate` for what only a person can mend; trying again would fail again."""

DVC_FRAME = re.compile(r"ERROR: failed to reproduce '[^']+': failed to run: .*, exited with (?P<status>\d+)$")
"""What DVC says last when a stage's own command failed."""


class Command:
    """One command on its way; `stop` may be called from a signal handler while `run` waits."""

    def __init__(self, name: str, arguments: list[str], worktree: Path) -> None:
        """Prepare to run `arguments` in `worktree`; `name` is the stage or action that speaks in the output."""
        self.name = name
        self.arguments = arguments
        self.worktree = worktree
        self.lines: deque[str] = deque(maxlen=KEPT_LINES)
        self.seconds = 0.0
        self._process: subprocess.Popen[str] | None = None

    def run(self, say: Callable[[str], None]) -> None:
        """Run to the end, handing every line of output to `say` as it comes.

        Raises:
            AirflowFailException: for a fault that only a person can mend: no retry.
            AirflowException: for any other failure, another process holding DVC's lock included.
        """
        # Airflow's own supervisor of this task may be killed as well; then Airflow starts another try elsewhere.
        supervise.end_with_parent()
        started = time.monotonic()
        self._process = subprocess.Popen(
            supervise.command(self.arguments),
            cwd=self.worktree,
            env=supervise.environment(environment(self.worktree)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        try:
            for line in self._process.stdout or ():
                self.lines.append(line.rstrip())
                say(self.lines[-1])
            code = self._process.wait()
        finally:
            self.stop()
        self.seconds = time.monotonic() - started
        if code:
            self._raise(code)

    def stop(self) -> None:
        """End the command and everything below it; no effect after its end."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait()

    def _raise(self, code: int) -> None:
        # DVC exits with 255 whatever the stage exited with, and says that in its last line.
        framed = DVC_FRAME.match(self.lines[-1]) if self.lines else None
        status = int(framed["status"]) if framed else code
        kind = AirflowFailException if status == USER_FAULT else AirflowException
        raise kind(f"{self.name} failed (exit status {status}):\n{self._own_words()}")

    def _own_words(self) -> str:
        """The end of the output, without DVC's frame; from `acclimate <name>:` on if that is there."""
        lines = [line for line in self.lines if not DVC_FRAME.match(line)]
        begins = [number for number, line in enumerate(lines) if line.startswith(f"acclimate {self.name}: ")]
        return "\n".join(lines[begins[-1] :] if begins else lines[-SHOWN_LINES:])


def environment(worktree: Path) -> dict[str, str]:
    """What a command sees: this process's environment without Airflow's own settings, which hold its secrets.

    PYTHONPATH makes the run execute the code of its own snapshot.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "_AIRFLOW"))}
    return {
        **inherited,
        "ACCLIMATE_HOME": str(home()),
        "PATH": f"{commands()}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(worktree / "include"),
        "PYTHONUNBUFFERED": "1",
        "TQDM_MININTERVAL": "10",  # every redraw of a progress bar would be a line of the task's log
    }
