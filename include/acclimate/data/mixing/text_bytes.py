"""The UTF-8 bytes of many texts as one array, for counting in all of them at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray


def text_bytes(texts: pa.Array) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The bytes of all texts, one after the other, and where each begins and the last ends, [texts + 1].

    Arrow's own buffers: nothing is copied. A missing text counts as an empty one.
    """
    import pyarrow as pa

    texts = texts.cast(pa.large_string())
    _, offsets, data = texts.buffers()
    bounds = np.frombuffer(offsets, dtype=np.int64)[texts.offset : texts.offset + len(texts) + 1]
    if not len(texts) or data is None:
        return np.empty(0, dtype=np.uint8), np.zeros(len(texts) + 1, dtype=np.int64)
    return np.frombuffer(data, dtype=np.uint8)[bounds[0] : bounds[-1]], bounds - bounds[0]


def preceded(flags: NDArray[np.bool_], bounds: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether the byte before each has its flag set, [bytes]; never across the beginning of a text."""
    before = np.zeros_like(flags)
    before[1:] = flags[:-1]
    begins = bounds[:-1]
    before[begins[begins < len(flags)]] = False
    return before


def per_text(positions: NDArray[np.int64], bounds: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many of the ascending `positions` lie in each text, [texts]."""
    return np.diff(np.searchsorted(positions, bounds))
