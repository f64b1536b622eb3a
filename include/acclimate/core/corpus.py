"""Documents on their way through the pipeline: a directory of Parquet parts, each small enough to hold in memory.

    with PartWriter(out / "documents", document_schema()) as documents:
        documents.add({"id": "9f2c…", "text": "…", …})
    for table in read_parts(out / "documents"): …

A stage that judges one record at a time reads, works and writes part by part, so that its memory does not
grow with the corpus; its output has the parts of its input, so that a part without changes stays, byte for
byte, what it was. Parts are called part-00000.parquet, part-00001.parquet, …; their order is the corpus's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from acclimate.core.files import read_parquet, write_parquet

if TYPE_CHECKING:
    import pyarrow as pa

PART_CHARACTERS = 16_000_000
"""A part is closed when its texts have this many characters: with what working on it takes, some 200 MB."""
PART_RECORDS = 50_000
"""… or when it has this many records, however short."""


class PartWriter:
    """Writes records into parts of about PART_CHARACTERS; `close_part` ends one early. A context manager."""

    def __init__(self, directory: Path, schema: pa.Schema) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._schema = schema
        self._rows: list[dict[str, Any]] = []
        self._characters = 0
        self._parts = 0
        self.records = 0
        """Written so far, those of the open part included."""

    def add(self, record: dict[str, Any]) -> None:
        """Append one record."""
        self._rows.append(record)
        self._characters += len(record["text"])
        self.records += 1
        if self._characters >= PART_CHARACTERS or len(self._rows) >= PART_RECORDS:
            self.close_part()

    def close_part(self) -> None:
        """Write what has been added since the last part; nothing if nothing was."""
        import pyarrow as pa

        if self._rows:
            write_parquet(self._next(), pa.Table.from_pylist(self._rows, schema=self._schema))
            self._rows, self._characters = [], 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            return
        self.close_part()
        if self._parts == 0:
            # Readers get the schema from somewhere.
            write_parquet(self._next(), self._schema.empty_table())

    def _next(self) -> Path:
        path = self._directory / f"part-{self._parts:05d}.parquet"
        self._parts += 1
        return path


def part_paths(directory: Path) -> list[Path]:
    """The parts of a corpus, in order."""
    return sorted(directory.glob("part-*.parquet"))


def read_parts(directory: Path) -> Iterator[pa.Table]:
    """One part after the other."""
    for path in part_paths(directory):
        yield read_parquet(path)


def read_corpus(directory: Path) -> pa.Table:
    """The whole corpus as one table, for those who need all of it at once."""
    import pyarrow as pa

    return pa.concat_tables(read_parts(directory))


def write_parts(directory: Path, tables: Iterable[pa.Table]) -> int:
    """Write one part per table, in order, empty ones too; return the number of records."""
    directory.mkdir(parents=True, exist_ok=True)
    records = 0
    for number, table in enumerate(tables):
        write_parquet(directory / f"part-{number:05d}.parquet", table)
        records += table.num_rows
    return records
