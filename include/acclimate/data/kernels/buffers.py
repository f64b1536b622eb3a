"""Texts as the bytes a kernel reads: all of them in one UTF-8 buffer, and where each starts.

data, offsets = of_strings(["naïve", "word"])        # text i is data[offsets[i]:offsets[i + 1]]
for data, offsets in of_column(table["text"]): …     # Arrow's own buffers, nothing copied
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    Texts = tuple[NDArray[np.uint8], NDArray[np.int64]]


def of_strings(texts: Iterable[str]) -> Texts:
    """Encode Python strings; a lone surrogate, which has no UTF-8, becomes a question mark."""
    encoded = [text.encode(errors="replace") for text in texts]
    offsets = np.zeros(len(encoded) + 1, dtype=np.int64)
    np.cumsum([len(text) for text in encoded], out=offsets[1:])
    return np.frombuffer(b"".join(encoded), dtype=np.uint8), offsets


def of_column(column: pa.ChunkedArray) -> Iterator[Texts]:
    """The buffers of a string or large_string column, chunk by chunk; a null is an empty text."""
    import pyarrow as pa

    for chunk in column.chunks:
        _, offsets, data = chunk.fill_null("").buffers() if chunk.null_count else chunk.buffers()
        width = np.int64 if pa.types.is_large_string(chunk.type) else np.int32
        first = 0 if chunk.null_count else chunk.offset
        starts = np.frombuffer(offsets, dtype=width)[first : first + len(chunk) + 1].astype(np.int64)
        yield np.frombuffer(data if data is not None else b"", dtype=np.uint8), starts


def of_places(places: NDArray[np.int64]) -> pa.Array:
    """The same numbers for Arrow, nothing copied; pa.array would import pandas to see whether they are of it."""
    import pyarrow as pa

    return pa.Array.from_buffers(pa.int64(), len(places), [None, pa.py_buffer(np.ascontiguousarray(places))])
