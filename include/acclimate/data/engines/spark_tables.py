"""What the Spark engine's Python workers do with Arrow batches besides calling kernels.

packed(shingles, sizes)                # one byte string for each text …
numbers(column)                        # … and back: all numbers, and where each text's begin
for table in whole_groups(batches, "hub"): …
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]
    Places = NDArray[np.int64]

GROUP_BYTES = 1 << 26
"""Groups are worked on together until they are so large: 64 MB a worker, or the largest group."""


def packed(values: Hashes, sizes: Places) -> pa.LargeBinaryArray:
    """[texts]: the next sizes[i] numbers as bytes."""
    import pyarrow as pa

    ends = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(8 * sizes, dtype=np.int64)])
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(np.ascontiguousarray(values))]
    return pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(sizes), buffers)


def numbers(column: pa.Array | pa.ChunkedArray) -> tuple[Hashes, Places]:
    """The numbers of all byte strings of a column, and where those of each begin [texts + 1]."""
    import pyarrow as pa

    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    values: list[Hashes] = [np.empty(0, dtype=np.uint64)]
    sizes: list[Places] = [np.zeros(1, dtype=np.int64)]
    for chunk in chunks:
        _, offsets, data = chunk.cast(pa.large_binary()).buffers()
        ends = np.frombuffer(offsets, dtype=np.int64)[chunk.offset : chunk.offset + len(chunk) + 1] // 8
        if data is not None:
            values.append(np.frombuffer(data, dtype=np.uint64, count=ends[-1])[ends[0] :])
        sizes.append(np.diff(ends))
    return read_only(np.concatenate(values)), read_only(np.cumsum(np.concatenate(sizes)))


def joined(one: tuple[Hashes, Places], other: tuple[Hashes, Places]) -> tuple[Hashes, Places]:
    """Two columns' numbers() as those of one column that goes on with the other."""
    values, starts = np.concatenate([one[0], other[0]]), np.concatenate([one[1], other[1][1:] + one[1][-1]])
    return read_only(values), read_only(starts)


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """The same array, as those mapped from files are: kernels are compiled for that kind only."""
    array.flags.writeable = False
    return array


def whole_groups(batches: Iterator[pa.RecordBatch], column: str) -> Iterator[pa.Table]:
    """Batches in the order of `column`, put together to tables that end where its value changes."""
    import pyarrow as pa

    waiting: list[pa.RecordBatch] = []
    size, enough = 0, GROUP_BYTES
    for batch in batches:
        waiting.append(batch)
        size += batch.nbytes
        if size < enough:
            continue
        table = pa.Table.from_batches(waiting)
        groups = table[column].to_numpy()
        cut = int(np.searchsorted(groups, groups[-1]))
        if cut:
            yield table.slice(0, cut)
        waiting = table.slice(cut).to_batches()
        size = sum(part.nbytes for part in waiting)
        # A group that goes on and on is not looked through again for every batch of it.
        enough = max(GROUP_BYTES, 2 * size)
    if waiting:
        yield pa.Table.from_batches(waiting)
