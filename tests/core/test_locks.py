"""Locks across processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from acclimate.core.locks import inputs_lock, locked

HOLDER = """
import sys, time
from pathlib import Path
from acclimate.core.locks import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def _free(path: Path, *, shared: bool = False) -> bool:
    try:
        with locked(path, shared=shared, wait=False):
            return True
    except BlockingIOError:
        return False


def test_a_lock_is_held_alone_or_shared(tmp_path: Path) -> None:
    path = inputs_lock(tmp_path)
    with locked(path, shared=True), locked(path, shared=True, wait=False):
        assert not _free(path)
    with locked(path, wait=False):
        assert not _free(path, shared=True)
    assert _free(path)


def test_a_lock_goes_with_its_holder_however_that_ends(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert not _free(path)
        holder.kill()
    assert _free(path)
