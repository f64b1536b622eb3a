"""One at a time, across processes: the kernel frees a lock when its holder dies, however that happens."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from acclimate.core.home import state


@contextmanager
def locked(path: Path, *, shared: bool = False, wait: bool = True) -> Iterator[None]:
    """Hold the lock `path`, alone or, `shared`, together with other sharers.

    Raises:
        BlockingIOError: if another process holds it and `wait` is false.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
        yield


def inputs_lock(root: Path) -> Path:
    """The lock of inputs/: `fetch` changes what is there, opening a run copies it."""
    return state(root) / "inputs.lock"
