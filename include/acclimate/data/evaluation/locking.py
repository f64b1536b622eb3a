"""The locked test set: what a domain's models are judged by, the same from its first draw on.

    testset/lock.json      {"scientific_python": {"locked": "2026-11-21T09:30:00+00:00", "by": "ada",
                             "files": {"domain_cloze.jsonl": {"sha256": "9f2c…", "items": 800}, …}}}
    testset/scientific_python/domain_cloze.jsonl
    testset/history.jsonl  one line per lock and unlock: {"action": "unlock", "reason": "…", …}

The folder is in git and is an input of `split`. Without it every new document would change the lexicon, hence
the items, and no two models could be compared; and whoever dislikes a result could draw again.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acclimate.core.errors import UserError
from acclimate.core.files import read_json, read_jsonl, sha256, whole_directory, write_json
from acclimate.core.home import state
from acclimate.core.locks import locked

LOCK = "lock.json"
HISTORY = "history.jsonl"


@dataclass(frozen=True)
class LockedSet:
    """The files of one domain as they were when they were locked."""

    domain: str
    folder: Path
    locked: str
    """When: UTC, ISO 8601."""
    files: dict[str, dict[str, Any]]
    """File name to its sha256 and its number of items."""

    def read(self, name: str) -> list[dict[str, Any]]:
        """The rows of one file.

        Raises:
            UserError: if the file is missing or is not what was locked.
        """
        path = self.folder / name
        found = sha256(path) if path.is_file() else None
        if found != self.files[name]["sha256"]:
            raise UserError(
                f"{path} {'is missing' if found is None else f'has SHA-256 {found[:12]}'}, "
                f"locked on {self.locked[:10]} was {self.files[name]['sha256'][:12]}",
                why="models judged by different test sets cannot be compared",
                fix="restore it with `git checkout testset`, or give the change a reason: "
                'acclimate testset unlock --reason "…"',
            )
        return read_jsonl(path)


def locked_set(testset: Path, domain: str) -> LockedSet | None:
    """What is locked for `domain`, or None before its first lock and after an unlock."""
    entry = read_json(testset / LOCK).get(domain)
    return entry and LockedSet(domain, testset / domain, entry["locked"], entry["files"])


def lock(testset: Path, domain: str, files: list[Path], *, by: str, now: str) -> bool:
    """Make `files` the test set of `domain`; return whether that is news.

    Raises:
        UserError: if other files are locked already.
    """
    entry = {path.name: {"sha256": sha256(path), "items": len(read_jsonl(path))} for path in files}
    with _alone(testset):
        current = locked_set(testset, domain)
        if current is not None:
            _require_same(current, entry)
            return False
        with whole_directory(testset / domain) as folder:
            for path in files:
                shutil.copyfile(path, folder / path.name)
        _note(testset, {"action": "lock", "domain": domain, "when": now, "by": by, "files": entry})
        write_json(testset / LOCK, read_json(testset / LOCK) | {domain: {"locked": now, "by": by, "files": entry}})
    return True


def unlock(testset: Path, domain: str, *, reason: str, by: str, now: str) -> None:
    """Let the next draw differ; the files stay where they are until the next lock.

    Raises:
        UserError: if nothing is locked, or the reason says nothing.
    """
    if not reason.strip():
        raise UserError(
            "the reason is empty",
            why="whoever compares models across this change has to know why it was made",
            fix='say it: acclimate testset unlock --reason "items of the old release were wrong"',
        )
    with _alone(testset):
        current = locked_set(testset, domain)
        if current is None:
            raise UserError(
                f"the test set of {domain!r} is not locked",
                why="there is nothing to unlock",
                fix="`acclimate testset show` says what is locked",
            )
        line = {"action": "unlock", "domain": domain, "when": now, "by": by, "reason": reason, "files": current.files}
        _note(testset, line)
        write_json(testset / LOCK, {n: entry for n, entry in read_json(testset / LOCK).items() if n != domain})


def history(testset: Path) -> list[dict[str, Any]]:
    """Every lock and unlock, oldest first."""
    path = testset / HISTORY
    return read_jsonl(path) if path.exists() else []


@contextmanager
def _alone(testset: Path) -> Iterator[None]:
    """Several runs may come to their first draw at once; the lock is beside the folder, which git keeps whole."""
    with locked(state(testset.parent) / "testset.lock"):
        yield


def _require_same(current: LockedSet, entry: dict[str, dict[str, Any]]) -> None:
    changed = sorted(name for name in current.files.keys() | entry.keys() if current.files.get(name) != entry.get(name))
    if changed:
        raise UserError(
            f"the test set of {current.domain!r} is locked since {current.locked[:10]} and differs in "
            f"{', '.join(changed)}",
            why="models judged by different test sets cannot be compared",
            fix='give the change a reason: acclimate testset unlock --reason "…", then lock again',
        )


def _note(testset: Path, line: dict[str, Any]) -> None:
    with (testset / HISTORY).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())
