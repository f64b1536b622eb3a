"""Put right what DVC leaves behind when it is killed while it writes.

DVC 3.67 writes two files of a checkout in place. Killed in between, it leaves a part of one, and then
refuses every stage there ("RWLock-file … JSON structure is corrupted"; "dvc.lock is invalid"), the retry of the
killed one included. The first was seen in a live Airflow on 2026-11-20.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml

from acclimate.core.yaml_text import parse_yaml


def mend(checkout: Path) -> list[str]:
    """Make the files of DVC in `checkout` whole again; returns a sentence for each that was not.

    A broken rwlock is removed: it only names processes that are busy, and its writer is dead. A broken
    dvc.lock becomes what it was at the last call: call this before a stage and after it.
    """
    tmp = checkout / ".dvc/tmp"
    tmp.mkdir(parents=True, exist_ok=True)
    with ExitStack() as locks:
        # The locks that DVC itself takes to write them: no living DVC is in the middle of writing.
        for name in ("lock", "rwlock.lock"):
            locks.enter_context(_held(tmp / name))
        return [*_mend_rwlock(tmp / "rwlock"), *_mend_dvc_lock(checkout / "dvc.lock", tmp / "dvc.lock.whole")]


def _mend_rwlock(path: Path) -> list[str]:
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except json.JSONDecodeError:
        path.unlink()
        return ["removed a half-written rwlock of a DVC that was killed"]
    return []


def _mend_dvc_lock(path: Path, copy: Path) -> list[str]:
    known = _stages(copy) or {}
    found = _stages(path)
    # DVC adds stages and never removes one, so a file that knows less than its copy was cut short.
    if found is not None and known.keys() <= found.keys():
        partial = copy.with_name(f"{copy.name}.partial")
        shutil.copyfile(path, partial)
        os.replace(partial, copy)
        return []
    if not path.exists() and not known:
        return []
    if copy.exists():
        shutil.copyfile(copy, path)
    else:
        path.unlink()  # of the first stage ever: nothing else is lost with it
    return ["brought back dvc.lock, half-written by a DVC that was killed"]


def _stages(path: Path) -> dict[str, Any] | None:
    """The stages in a lock file; None if it is missing or not whole."""
    try:
        lock = parse_yaml(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, yaml.YAMLError):
        return None
    return lock.get("stages") if isinstance(lock, dict) else None


@contextmanager
def _held(path: Path) -> Iterator[None]:
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
