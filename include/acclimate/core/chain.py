"""An append-only file of records, each with the hash of the one before it: what is taken out or changed later shows.

    {"when": "2026-11-21T09:30:00+00:00", "who": "ada", …, "previous": "77e0…"}

The ledger of the test set and the audit of the registry are such files. A record is on disk before `append` returns.
Whoever rewrites the file from some line on to its end, or cuts off its end, does not show: keep backups elsewhere.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from acclimate.core.errors import UserError

FIRST = "0" * 64
"""What stands for the hash of the record before the first."""

Record = dict[str, Any]


@dataclass(frozen=True)
class Chain:
    """The records in a file, and what a break in them means to whoever reads the error."""

    path: Path
    why: str
    """Why a changed record matters."""
    fix: str
    """What to do about one."""

    def append(self, record: Callable[[int], Mapping[str, Any]]) -> Record:
        """Add the record that `record` makes of its number, counted from 1, and return it with its `previous`.

        Raises:
            UserError: if the file was tampered with.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            _drop_torn_line(file)
            known = self._parsed(file)
            added = {**record(len(known) + 1), "previous": _hash(known[-1]) if known else FIRST}
            file.write(_line(added))
            file.flush()
            os.fsync(file.fileno())
        return added

    def read(self) -> list[Record]:
        """Every record, oldest first; none if there is no file.

        Raises:
            UserError: naming the first line that does not follow from the one before it.
        """
        if not self.path.exists():
            return []
        with self.path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            return self._parsed(file)

    def _parsed(self, file: BinaryIO) -> list[Record]:
        records: list[Record] = []
        file.seek(0)
        for number, line in enumerate(file, start=1):
            record = _record(line)
            expected = _hash(records[-1]) if records else FIRST
            if record is None or record.get("previous") != expected or _line(record) != line:
                raise UserError(
                    f"line {number} of {self.path} does not follow from the line before it", why=self.why, fix=self.fix
                )
            records.append(record)
        return records


def _line(record: Record) -> bytes:
    return (json.dumps(record, ensure_ascii=False) + "\n").encode()


def _hash(record: Record) -> str:
    return hashlib.sha256(_line(record)).hexdigest()


def _record(line: bytes) -> Record | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def _drop_torn_line(file: BinaryIO) -> None:
    """Half a line at the end is what a full disk or a power cut left of a record whose step never began."""
    file.seek(0)
    content = file.read()
    if not content.endswith(b"\n"):
        file.truncate(content.rfind(b"\n") + 1)
