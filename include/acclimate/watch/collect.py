"""Gather what the endpoint was asked since the last collection.

    acclimate collect         # adds to .acclimate/watch/requests.jsonl

Every request is gathered exactly once, whatever is interrupted: the record of how far we read also says
how long the collected file was then, and a longer one is cut back before reading goes on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from acclimate.core.files import read_json, write_json
from acclimate.core.home import state
from acclimate.release.roles import places

FINGERPRINT_BYTES = 256


@dataclass(frozen=True)
class Position:
    """How far the request log was read, and how long the collected files were then (bytes)."""

    read: int = 0
    collected: int = 0
    rejected: int = 0
    fingerprint: str = ""
    """SHA-256 of the log's beginning as far as it was read, at most FINGERPRINT_BYTES: another log has another."""


@dataclass(frozen=True)
class Collected:
    """How many requests one collection added, and how many lines were no requests."""

    added: int
    rejected: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options."""


def main(arguments: argparse.Namespace) -> int:
    """Collect and say how many requests are new."""
    done = collect(places().requests, watch_folder())
    print(f"collected {done.added} requests" + (f"; {done.rejected} lines were damaged" if done.rejected else ""))
    return 0


def watch_folder() -> Path:
    """Where the watch keeps what it knows."""
    return state() / "watch"


def collect(log: Path, folder: Path) -> Collected:
    """Append the log's new whole lines to `folder`/requests.jsonl, damaged ones to `folder`/rejected.jsonl.

    A line still being written is left for the next time. A log that was rotated or cut off is read
    from its beginning.
    """
    folder.mkdir(parents=True, exist_ok=True)
    where = folder / "position.json"
    position = Position(**read_json(where)) if where.exists() else Position()
    _cut(folder / "requests.jsonl", position.collected)
    _cut(folder / "rejected.jsonl", position.rejected)
    start, new = _new_lines(log, position)
    good = [line for line in new if _is_request(line)]
    bad = [line for line in new if not _is_request(line)]
    collected = _append(folder / "requests.jsonl", good)
    rejected = _append(folder / "rejected.jsonl", bad)
    read = start + sum(len(line) for line in new)
    write_json(where, asdict(Position(read, collected, rejected, _fingerprint(log, read))))
    return Collected(len(good), len(bad))


def _new_lines(log: Path, position: Position) -> tuple[int, list[bytes]]:
    """Where reading begins (bytes), and the whole lines from there."""
    if not log.exists():
        return 0, []
    start = position.read if _fingerprint(log, position.read) == position.fingerprint else 0
    with log.open("rb") as file:
        file.seek(start)
        lines = file.read().splitlines(keepends=True)
    return start, [line for line in lines if line.endswith(b"\n")]


def _fingerprint(log: Path, read: int) -> str:
    if not log.exists() or log.stat().st_size < read:
        return "gone"
    with log.open("rb") as file:
        return hashlib.sha256(file.read(min(read, FINGERPRINT_BYTES))).hexdigest()


def _is_request(line: bytes) -> bool:
    try:
        row = json.loads(line)
    except ValueError:
        return False
    return isinstance(row, dict) and isinstance(row.get("prompt"), str) and isinstance(row.get("version"), str)


def _cut(path: Path, length: int) -> None:
    path.touch()
    with path.open("r+b") as file:
        file.truncate(length)


def _append(path: Path, lines: list[bytes]) -> int:
    """Add the lines and return how long the file is now (bytes)."""
    with path.open("ab") as file:
        file.writelines(lines)
    return path.stat().st_size
