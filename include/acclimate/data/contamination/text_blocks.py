"""A Parquet file of documents, block by block: what is held at once does not grow with the file."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.data.similarity.words import WordStreams

if TYPE_CHECKING:
    import pyarrow as pa

BLOCK_ROWS = 4096


def blocks(path: Path, columns: Sequence[str] | None = None) -> Iterator[tuple[int, pa.RecordBatch]]:
    """The rows in stored order, and of each block the number of its first row."""
    import pyarrow.parquet as pq

    first = 0
    for batch in pq.ParquetFile(path).iter_batches(BLOCK_ROWS, columns=columns):
        yield first, batch
        first += batch.num_rows


def rows_at(path: Path, rows: Container[int]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number, id, source and text of these rows, in stored order."""
    import pyarrow as pa

    for first, block in blocks(path, ["id", "source", "text"]):
        here = [row for row in range(block.num_rows) if first + row in rows]
        documents = block.take(pa.array(here, type=pa.int64())).to_pylist()
        yield from ((first + row, document) for row, document in zip(here, documents, strict=True))


def word_streams(texts: pa.Array) -> WordStreams:
    """The words of a string column, hashed from Arrow's own buffers."""
    import pyarrow as pa

    from acclimate.data.kernels.buffers import of_column
    from acclimate.data.kernels.code_points import code_point_table
    from acclimate.data.kernels.tokens import hash_texts, salt

    (buffers,) = of_column(pa.chunked_array([texts]))
    return WordStreams(*hash_texts(*buffers, *code_point_table(), salt(0)))
