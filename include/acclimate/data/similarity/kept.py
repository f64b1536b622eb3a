"""Writing what stays of a Parquet file, in its order, without ever holding more than a stretch of it.

write_kept(path, copies, out / path.name, threads=2)
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from acclimate.data.kernels.buffers import of_places
from acclimate.data.similarity.copies import Copies

if TYPE_CHECKING:
    import pyarrow as pa

_RECORDS_AT_ONCE = 8192
_LONG = ("id", "text", "question", "answer")
"""Columns whose values hardly recur: a dictionary of them is given up once it has been made. Lengths apart from
characters, they take a fifth less time to compress than as Parquet's plain values."""


def write_kept(path: Path, copies: Copies, out: Path, *, threads: int) -> None:
    """Write the records of `path` that are no copies; with two threads one reads while the other writes."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        schema = file.schema_arrow.remove_metadata()
        long = {name: "DELTA_LENGTH_BYTE_ARRAY" for name in schema.names if name in _LONG}
        short = [name for name in schema.names if name not in long]
        encoding = {"use_dictionary": short, "column_encoding": long}
        with pq.ParquetWriter(out, schema, compression="zstd", write_statistics=True, **encoding) as writer:
            staying = _staying(file, copies)
            for batch in staying if threads == 1 else _ahead(staying):
                writer.write_batch(batch)


def numbered_batches(
    file: pa.parquet.ParquetFile, columns: list[str] | None = None
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """A file's records some thousand at a time, each with the place of its first."""
    first = 0
    for batch in file.iter_batches(_RECORDS_AT_ONCE, columns=columns, use_threads=False):
        yield first, batch
        first += len(batch)


def _staying(file: pa.parquet.ParquetFile, copies: Copies) -> Iterator[pa.RecordBatch]:
    for first, batch in numbered_batches(file):
        edges = np.searchsorted(copies.gone, (first, first + len(batch)))
        gone = copies.gone[slice(*edges)] - first
        yield batch.take(of_places(np.delete(np.arange(len(batch)), gone))) if len(gone) else batch


def _ahead(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same batches; the next is made while one is worked on."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = pool.submit(next, batches, None)
            yield batch
