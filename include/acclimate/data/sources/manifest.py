"""Which records a corpus holds, and how that differs from the manifest that was accepted last.

    {"source": "medquad", "origin": "inputs/medquad/0000024_1.xml:QAPair 1", "id": "9f2c…", "sha256": "b1946a…"}

A record is the same as before if its id and its content are. It has changed if its id has other content, or if
its place has a record of another id (ids made from content change with it). An id that is gone is a tombstone:
what was derived from that record has to go, too.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from acclimate.core.files import read_parquet
from acclimate.core.records import Document

if TYPE_CHECKING:
    import pyarrow as pa

NAME = "manifest.parquet"
_BATCH_ROWS = 50_000
_COLUMNS = ("source", "origin", "id", "sha256")


@dataclass(frozen=True)
class Changes:
    """Records of a source against those accepted last; `new + changed + unchanged` are those there now."""

    new: int
    changed: int
    unchanged: int
    removed: int

    def sentence(self) -> str:
        """'12 new, 3 changed, 1 removed', or 'no change'."""
        moved = {"new": self.new, "changed": self.changed, "removed": self.removed}
        return ", ".join(f"{count:,} {name}" for name, count in moved.items() if count) or "no change"


@dataclass(frozen=True)
class Tombstone:
    """An accepted record that is not there any more."""

    source: str
    id: str
    origin: str
    """Where it stood."""
    sha256: str
    replaced_by: str | None
    """The id of the record that stands there now."""


class ManifestWriter:
    """Writes a manifest of any length, some rows at a time. A context manager."""

    def __init__(self, path: Path) -> None:
        import pyarrow.parquet as pq

        self._file = pq.ParquetWriter(path, manifest_schema(), compression="zstd")
        self._rows: list[dict[str, str]] = []

    def add(self, origin: str, document: Document) -> None:
        """Append one record."""
        digest = hashlib.sha256(document.model_dump_json().encode()).hexdigest()
        self._rows.append(dict(zip(_COLUMNS, (document.source, origin, document.id, digest), strict=True)))
        if len(self._rows) >= _BATCH_ROWS:
            self._write()

    def _write(self) -> None:
        import pyarrow as pa

        self._file.write_table(pa.Table.from_pylist(self._rows, schema=manifest_schema()))
        self._rows = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: object, trace: TracebackType | None) -> None:
        if kind is None and self._rows:
            self._write()
        self._file.close()


def manifest_schema() -> pa.Schema:
    """The columns of a manifest; a function because importing pyarrow takes 0.2 s."""
    import pyarrow as pa

    return pa.schema([pa.field(name, pa.string(), nullable=False) for name in _COLUMNS])


def compare(current: Path, accepted: Path, unread: set[str]) -> tuple[dict[str, Changes], list[Tombstone]]:
    """What became of each source since the accepted manifest, and the records that are gone, by source and place.

    Args:
        current: the manifest of this run.
        accepted: the one accepted last; without a file there, everything is new.
        unread: sources that this run did not read, because it adapts to another domain: nothing is said of them.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    now = read_parquet(current)
    before = read_parquet(accepted) if accepted.exists() else now.schema.empty_table()
    before = before.filter(~pc.field("source").isin(pa.array(sorted(unread), pa.string())))
    key = ["source", "id"]
    stayed = now.join(before.select([*key, "sha256"]), key, join_type="inner", right_suffix="_before")
    same = stayed.filter(pc.field("sha256") == pc.field("sha256_before"))
    new = now.join(before, key, join_type="left anti")
    gone = _tombstones(before.join(now, key, join_type="left anti"), new)
    replaced = [stone for stone in gone if stone.replaced_by is not None]
    sources = sorted({*now["source"].unique().to_pylist(), *(stone.source for stone in gone)})
    return {
        source: _changes(
            new=_rows_of(source, new),
            stayed=_rows_of(source, stayed),
            unchanged=_rows_of(source, same),
            gone=sum(stone.source == source for stone in gone),
            replaced=sum(stone.source == source for stone in replaced),
        )
        for source in sources
    }, gone


def _changes(*, new: int, stayed: int, unchanged: int, gone: int, replaced: int) -> Changes:
    return Changes(new - replaced, stayed - unchanged + replaced, unchanged, gone - replaced)


def _rows_of(source: str, table: pa.Table) -> int:
    import pyarrow.compute as pc

    return int(pc.sum(pc.equal(table["source"], source)).as_py() or 0)


def _tombstones(gone: pa.Table, new: pa.Table) -> list[Tombstone]:
    """Of the rows that are gone, each with the new id at its place; a new record replaces at most one."""
    place = ["source", "origin"]
    successors: dict[tuple[str, str], list[str]] = {}
    for row in _in_order(new.join(gone.select(place), place, join_type="left semi")):
        successors.setdefault((row["source"], row["origin"]), []).append(row["id"])
    stones = []
    for row in _in_order(gone):
        there = successors.get((row["source"], row["origin"]))
        stones.append(
            Tombstone(row["source"], row["id"], row["origin"], row["sha256"], there.pop(0) if there else None)
        )
    return stones


def _in_order(table: pa.Table) -> list[dict[str, Any]]:
    """Rows by source, place and id: a join gives them in any order."""
    rows: list[dict[str, Any]] = table.sort_by([(name, "ascending") for name in ("source", "origin", "id")]).to_pylist()
    return rows
