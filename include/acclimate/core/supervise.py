"""Run a command so that nothing of it outlives whoever asked for it.

    python -m acclimate.core.supervise dvc repro --single-item train_domain

An Airflow task that is killed with SIGKILL cannot end what it started: dvc would go on, and the stage below
dvc, while the retry starts the same stage again. So a task starts this wrapper instead. The kernel tells it
when its parent dies (PR_SET_PDEATHSIG) and gives it every orphan below it (PR_SET_CHILD_SUBREAPER); asked to
stop, it ends them all, politely first. Linux only, and standard library only: it runs isolated from the
snapshot of code that it guards.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
STOPS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
GRACE_SECONDS = 10.0
"""Between SIGTERM and SIGKILL; DVC needs about a second to release its locks."""
GRACE = "ACCLIMATE_SUPERVISED_GRACE"
"""Environment variable with other seconds of grace, for a command that has something to finish."""
PARENT = "ACCLIMATE_SUPERVISED_BY"
"""Environment variable with the parent's process id: it may die before the kernel was asked to tell."""


def command(arguments: list[str]) -> list[str]:
    """The command line that runs `arguments` under supervision.

    The wrapper is this file, isolated (-I): the orchestrator's own, whatever PYTHONPATH says.
    """
    return [sys.executable, "-I", __file__, *arguments]


def environment(values: dict[str, str], *, grace: float = GRACE_SECONDS) -> dict[str, str]:
    """`values`, for a supervised command that this process is about to start and that is given `grace` seconds."""
    return {**values, PARENT: str(os.getpid()), GRACE: str(grace)}


def end_with_parent() -> None:
    """From now on, get SIGTERM when the parent ends, whatever ended it; see prctl(2)."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def main(arguments: list[str]) -> int:
    """Run `arguments` to the end and return the exit status; 128 + n if signal n ended it or this process.

    Signals are blocked and waited for, never handled: none can arrive between two steps.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {*STOPS, signal.SIGCHLD})
    adopt_orphans()
    end_with_parent()
    if os.getppid() != int(os.environ.pop(PARENT, os.getppid())):
        return 128 + signal.SIGTERM
    grace = float(os.environ.pop(GRACE, GRACE_SECONDS))
    try:
        child = os.posix_spawnp(
            arguments[0], arguments, os.environ, setsid=True, setsigmask=[], setsigdef=[signal.SIGPIPE]
        )
    except OSError as fault:
        print(f"{arguments[0]}: {fault.strerror}", file=sys.stderr)
        return 127
    code = _wait(child)
    end_descendants(grace)
    return code


def adopt_orphans() -> None:
    """Have the kernel give this process every orphan below it, so that `end_descendants` finds them all."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def end_descendants(grace: float = GRACE_SECONDS) -> None:
    """End every process below this one; SIGKILL follows SIGTERM after `grace` seconds."""
    kill_at = time.monotonic() + grace
    told: set[int] = set()
    while children := _children(os.getpid()):
        late = time.monotonic() >= kill_at
        for child in children:
            if late or child not in told:
                _signal_group(child, signal.SIGKILL if late else signal.SIGTERM)
        told.update(children)
        time.sleep(0.02)
        _reap()


def _wait(child: int) -> int:
    while True:
        number = signal.sigwait({*STOPS, signal.SIGCHLD})
        if number != signal.SIGCHLD:
            return 128 + number
        status = _reap().get(child)
        if status is not None:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _reap() -> dict[int, int]:
    """Collect the ended children, orphans from further below included: process id to wait status."""
    ended: dict[int, int] = {}
    try:
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return ended
            ended[pid] = status
    except ChildProcessError:
        return ended


def _children(parent: int) -> list[int]:
    """Process ids of the direct children, from /proc/<pid>/stat: `pid (name) state ppid …`."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # ended while we were reading
        if int(fields[1]) == parent:
            found.append(int(stat.parent.name))
    return found


def _signal_group(pid: int, number: signal.Signals) -> None:
    """Signal the process group of `pid`, or `pid` alone while it still shares this process's group."""
    try:
        group = os.getpgid(pid)
        if group == os.getpgrp():
            os.kill(pid, number)
        else:
            os.killpg(group, number)
    except ProcessLookupError:
        return


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
