"""The rare end of each text's shingles: what texts have to meet in if they are similar.

Two sets with J ≥ t have at least α = t / (1 + t) (|A| + |B|) members in common, so if each is ordered from the
globally rarest member to the most frequent, their first |A| - α + 1 and |B| - α + 1 members meet (prefix
filtering: Chaudhuri, Ganti, Kaushik 2006; with the two prefix lengths of PPJoin: Xiao et al. 2008). Boilerplate
is frequent and so stands behind the prefix. A token is a shingle's frequency and then the rest of its hash:
ascending is from rare to frequent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Counts = NDArray[np.uint32]
    Hashes = NDArray[np.uint64]
    Places = NDArray[np.int64]

COUNTERS = 1 << 22
_COUNT_BITS = np.uint64(24)


@njit(cache=True, nogil=True)
def count_shingles(texts: Places, shingles: Hashes, starts: Places, counts: Counts) -> None:
    """Add to `counts` [COUNTERS] how many of `texts` have a shingle with these low bits."""
    for text in texts:
        for shingle in shingles[starts[text] : starts[text + 1]]:
            counts[shingle & np.uint64(COUNTERS - 1)] += np.uint32(1)


@njit(cache=True, nogil=True)
def prefix_lengths(size: int, threshold: float) -> tuple[int, int]:
    """How many of a set's rarest members meet those of a partner as large or larger; as small or smaller."""
    larger = size - int(np.ceil(2 * threshold / (1 + threshold) * size - 1e-9)) + 1
    smaller = size - int(np.ceil(threshold * size - 1e-9)) + 1
    return min(larger, size), min(smaller, size)


@njit(cache=True, nogil=True)
def shared_prefixes(
    texts: Places, shingles: Hashes, starts: Places, counts: Counts, threshold: float
) -> tuple[Hashes, Places, Places]:
    """The prefixes of these texts, without tokens that one text alone has: they lead nowhere.

    Returns:
        The tokens of each text's longer prefix, rarest first, text after text; how many each text has [texts];
        how many of them are in its shorter prefix [texts].
    """
    longest = total = 0
    for text in texts:
        size = starts[text + 1] - starts[text]
        longest, total = max(longest, size), total + prefix_lengths(size, threshold)[1]
    tokens, own = np.empty(total, dtype=np.uint64), np.empty(longest, dtype=np.uint64)
    lengths, shorter = np.zeros(len(texts), dtype=np.int64), np.zeros(len(texts), dtype=np.int64)
    filled = 0
    for place, text in enumerate(texts):
        size = starts[text + 1] - starts[text]
        for member in range(size):
            shingle = shingles[starts[text] + member]
            count = np.uint64(min(counts[shingle & np.uint64(COUNTERS - 1)], np.uint32(0xFFFFFF)))
            own[member] = (count << (np.uint64(64) - _COUNT_BITS)) | (shingle >> _COUNT_BITS)
        own[:size].sort()
        larger, smaller = prefix_lengths(size, threshold)
        for member in range(smaller):
            if own[member] >> (np.uint64(64) - _COUNT_BITS) > np.uint64(1):
                tokens[filled] = own[member]
                filled += 1
                lengths[place] += 1
                shorter[place] += member < larger
    return tokens[:filled].copy(), lengths, shorter
