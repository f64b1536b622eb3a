"""Reading and writing so that a reader never sees half a file.

Everything is written under a temporary name beside its destination and renamed when it is whole;
a process killed in between leaves the destination as it was.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.core.errors import UserError

if TYPE_CHECKING:
    import pyarrow as pa


@contextmanager
def whole_directory(destination: Path) -> Iterator[Path]:
    """Yield an empty directory that becomes `destination` only if the block succeeds."""
    partial = destination.with_name(f".{destination.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    if destination.exists():
        shutil.rmtree(destination)
    os.replace(partial, destination)


@contextmanager
def _whole_file(path: Path) -> Iterator[Path]:
    """Yield a name that becomes `path` only if the block succeeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def to_disk(path: Path) -> None:
    """Return when what was written to the file `path`, or renamed in the directory, would survive a loss of power."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` in one step."""
    with _whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_private(path: Path, text: str) -> None:
    """Write `text` so that nobody but its owner could read it at any moment (mode 600 from the start)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with open(partial, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(text)
    os.replace(partial, path)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON with a trailing newline; key order is the caller's."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """The parsed content of a JSON file that this system wrote itself."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> int:
    """Write one JSON object a line, as they come, and return how many."""
    encoded = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
    count = 0
    with _whole_file(path) as partial, partial.open("w", encoding="utf-8") as lines:
        for row in rows:
            lines.write(f"{encoded(row)}\n")
            count += 1
    return count


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSONL file that this system wrote itself."""
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def write_parquet(path: Path, table: pa.Table) -> None:
    """Write `table` so that equal tables give equal bytes (fixed codec, no pandas metadata)."""
    import pyarrow.parquet as pq

    pq.write_table(table.replace_schema_metadata(None), path, compression="zstd", write_statistics=True)


def read_parquet(path: Path) -> pa.Table:
    """The table in a Parquet file, columns in stored order."""
    import pyarrow.parquet as pq

    return pq.read_table(path)


def sha256(*paths: Path) -> str:
    """The SHA-256 of the files' content, one after the other, as 64 hex digits."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as content:
            while block := content.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def require_free_disk(directory: Path, megabytes: int) -> None:
    """Raise UserError if the file system of `directory` has less than `megabytes` MB free."""
    free = shutil.disk_usage(directory).free // 1_000_000
    if free < megabytes:
        raise UserError(
            f"{free} MB free on the disk of {directory}, {megabytes} MB needed",
            why="a stage that runs out of space loses its work",
            fix="free some space, or lower common.min_free_disk_mb in params.yaml if the stage needs less",
        )
