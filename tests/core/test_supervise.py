"""Nothing that a supervised command started outlives whoever asked for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from acclimate.core import supervise

ASKS = """
import os, subprocess, sys
from acclimate.core import supervise
process = subprocess.Popen(supervise.command(sys.argv[1:]), env=supervise.environment(dict(os.environ)))
sys.exit(process.wait())
"""


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def until(condition: Callable[[], bool], seconds: float = 20) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


def start(script: str) -> subprocess.Popen[bytes]:
    """A process that asks the supervisor to run `script` in a shell, as an Airflow task does."""
    return subprocess.Popen([sys.executable, "-c", ASKS, "bash", "-c", script])


def pids(path: Path, count: int) -> list[int]:
    assert until(lambda: path.exists() and len(path.read_text().split()) == count)
    return [int(pid) for pid in path.read_text().split()]


def test_exit_status_and_output_are_the_commands_own() -> None:
    done = subprocess.run(supervise.command(["bash", "-c", "echo hello; exit 7"]), capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (7, "hello\n")


def test_a_command_ended_by_a_signal_says_which() -> None:
    done = subprocess.run(supervise.command(["bash", "-c", "kill -9 $$"]))
    assert done.returncode == 128 + signal.SIGKILL


def test_a_command_that_does_not_exist_is_named() -> None:
    done = subprocess.run(supervise.command(["no-such-command"]), capture_output=True, text=True)
    assert done.returncode == 127
    assert "no-such-command: No such file or directory" in done.stderr


def test_sigkill_of_the_parent_ends_the_grandchildren(tmp_path: Path) -> None:
    tree = tmp_path / "pids"
    parent = start(f"sleep 300 & echo $! >> {tree}; bash -c 'echo $$ >> {tree}; sleep 300; true' & wait")
    started = pids(tree, 2)
    parent.kill()
    parent.wait()
    assert until(lambda: not any(alive(pid) for pid in started))


def test_a_grandchild_in_a_session_of_its_own_ends_too(tmp_path: Path) -> None:
    tree = tmp_path / "pids"
    parent = start(f"setsid bash -c 'echo $$ >> {tree}; sleep 300; true' & wait")
    started = pids(tree, 1)
    parent.kill()
    parent.wait()
    assert until(lambda: not any(alive(pid) for pid in started))


def test_what_ignores_sigterm_is_killed_after_the_grace(tmp_path: Path) -> None:
    tree = tmp_path / "pids"
    parent = start(f"trap '' TERM; echo $$ >> {tree}; while true; do sleep 1; done")
    started = pids(tree, 1)
    parent.kill()
    parent.wait()
    time.sleep(1)
    assert alive(started[0])
    assert until(lambda: not alive(started[0]), supervise.GRACE_SECONDS + 10)


def test_a_daemon_left_behind_by_a_finished_command_is_ended(tmp_path: Path) -> None:
    tree = tmp_path / "pids"
    done = subprocess.run(supervise.command(["bash", "-c", f"sleep 300 & echo $! > {tree}"]))
    assert done.returncode == 0
    assert not alive(pids(tree, 1)[0])


def test_a_parent_that_died_before_the_start_starts_nothing(tmp_path: Path) -> None:
    made = tmp_path / "made"
    ended = subprocess.Popen(["true"])
    ended.wait()
    done = subprocess.run(supervise.command(["touch", str(made)]), env={**os.environ, supervise.PARENT: str(ended.pid)})
    assert done.returncode == 128 + signal.SIGTERM
    assert not made.exists()
