"""All similar pairs among texts that share much with each other: what crowded buckets are resolved by.

Two sets with J ≥ t have at least α = t / (1 + t) (|A| + |B|) members in common, so if each is ordered from the
globally rarest member to the most frequent, their first |A| - α + 1 and |B| - α + 1 members meet (prefix
filtering: Chaudhuri, Ganti, Kaushik 2006; with the two prefix lengths of PPJoin: Xiao et al. 2008). Boilerplate
is frequent and so stands behind the prefix: texts that share nothing else never meet, and no bucket has to
be capped. Only pairs that share a band are returned, so that it makes no difference to the result which
buckets were crowded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from acclimate.data.kernels.similarity import common_members, fill, needed
from acclimate.data.kernels.sketch import BLOCK, band_keys, table_size

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]
    Halves = NDArray[np.uint32]
    Places = NDArray[np.int64]

_COUNTERS = 1 << 22
_COUNT_BITS = np.uint64(24)
"""A token is a shingle's frequency and then the rest of its hash: ascending is from rare to frequent."""


@njit(cache=True, nogil=True)
def frequencies(texts: Places, shingles: Hashes, starts: Places) -> NDArray[np.uint32]:
    """How many of `texts` have a shingle with these low bits: the order of shingles that prefixes need."""
    counts = np.zeros(_COUNTERS, dtype=np.uint32)
    for text in texts:
        for shingle in shingles[starts[text] : starts[text + 1]]:
            counts[shingle & np.uint64(_COUNTERS - 1)] += np.uint32(1)
    return counts


@njit(cache=True, nogil=True)
def prefix_lengths(size: int, threshold: float) -> tuple[int, int]:
    """How many of a set's rarest members meet those of a partner as large or larger; as small or smaller."""
    larger = size - int(np.ceil(2 * threshold / (1 + threshold) * size - 1e-9)) + 1
    smaller = size - int(np.ceil(threshold * size - 1e-9)) + 1
    return min(larger, size), min(smaller, size)


@njit(cache=True, nogil=True)
def prefixes(
    texts: Places, shingles: Hashes, starts: Places, counts: NDArray[np.uint32], threshold: float
) -> tuple[Hashes, Places]:
    """The tokens of each text's longer prefix, rarest first, and where each text starts among them."""
    ends = np.zeros(len(texts) + 1, dtype=np.int64)
    for place, text in enumerate(texts):
        ends[place + 1] = ends[place] + prefix_lengths(starts[text + 1] - starts[text], threshold)[1]
    tokens = np.empty(ends[-1], dtype=np.uint64)
    for place, text in enumerate(texts):
        own = shingles[starts[text] : starts[text + 1]].copy()
        for member in range(len(own)):
            count = np.uint64(min(counts[own[member] & np.uint64(_COUNTERS - 1)], np.uint32(0xFFFFFF)))
            own[member] = (count << (np.uint64(64) - _COUNT_BITS)) | (own[member] >> _COUNT_BITS)
        own.sort()
        tokens[ends[place] : ends[place + 1]] = own[: ends[place + 1] - ends[place]]
    return tokens, ends


@njit(cache=True, nogil=True)
def _shared(token: np.uint64) -> bool:
    return bool(token >> (np.uint64(64) - _COUNT_BITS) > np.uint64(1))


@njit(cache=True, nogil=True)
def entries(texts: Places, tokens: Hashes, ends: Places, starts: Places, threshold: float) -> tuple[Hashes, Places]:
    """Token and text of every shorter prefix; tokens that one text alone has lead nowhere and are left out."""
    found, owners = np.empty(len(tokens), dtype=np.uint64), np.empty(len(tokens), dtype=np.int64)
    count = 0
    for place, text in enumerate(texts):
        length = prefix_lengths(starts[text + 1] - starts[text], threshold)[0]
        for token in tokens[ends[place] : ends[place] + length]:
            if _shared(token):
                found[count], owners[count] = token, text
                count += 1
    return found[:count], owners[:count]


@njit(cache=True, nogil=True)
def lists(found: Hashes, owners: Places, labels: Places) -> tuple[Hashes, Places, Places]:
    """An index over entries sorted by token and then label.

    Returns:
        A hash table of tokens, and of where each token's entries start; for every entry the end of the stretch
        of entries with its token and its label.
    """
    table = np.zeros(table_size(len(found)), dtype=np.uint64)
    firsts = np.full(len(table), -1, dtype=np.int64)
    stretches = np.empty(len(found), dtype=np.int64)
    mask = np.uint64(len(table) - 1)
    for entry in range(len(found) - 1, -1, -1):
        last = entry + 1 == len(found) or found[entry + 1] != found[entry]
        same = not last and labels[owners[entry + 1]] == labels[owners[entry]]
        stretches[entry] = stretches[entry + 1] if same else entry + 1
        slot = found[entry] * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(20) & mask
        while firsts[slot] >= 0 and table[slot] != found[entry]:
            slot = (slot + np.uint64(1)) & mask
        table[slot], firsts[slot] = found[entry], entry
    return table, firsts, stretches


@njit(cache=True, nogil=True)
def _first_entry(token: np.uint64, table: Hashes, firsts: Places) -> int:
    mask = np.uint64(len(table) - 1)
    slot = token * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(20) & mask
    while firsts[slot] >= 0 and table[slot] != token:
        slot = (slot + np.uint64(1)) & mask
    return int(firsts[slot])


@njit(cache=True, nogil=True)
def _partners(
    text: int,
    prefix: Hashes,
    found: Hashes,
    owners: Places,
    table: Hashes,
    firsts: Places,
    stretches: Places,
    labels: Places,
    starts: Places,
    stamps: Places,
    partners: Places,
) -> int:
    """Write the texts of other components, not larger than `text`, that meet its prefix; return how many."""
    size, count = starts[text + 1] - starts[text], 0
    for token in prefix:
        entry = _first_entry(token, table, firsts) if _shared(token) else -1
        while 0 <= entry < len(found) and found[entry] == token:
            if labels[owners[entry]] == labels[text]:
                entry = stretches[entry]
                continue
            other = owners[entry]
            smaller = starts[other + 1] - starts[other]
            if stamps[other] != text and (smaller < size or (smaller == size and other < text)):
                stamps[other] = text
                partners[count] = other
                count += 1
            entry += 1
    return count


@njit(cache=True, nogil=True)
def similar_pairs(
    first: int,
    last: int,
    texts: Places,
    tokens: Hashes,
    ends: Places,
    found: Hashes,
    owners: Places,
    table: Hashes,
    firsts: Places,
    stretches: Places,
    labels: Places,
    shingles: Hashes,
    starts: Places,
    threshold: float,
    new_from: int,
) -> tuple[Places, Places]:
    """The pairs of texts[first:last] with a text not larger and of another component that reach `threshold`."""
    stamps, partners = np.full(len(labels), -1, dtype=np.int64), np.empty(len(labels), dtype=np.int64)
    largest = 0
    for text in texts[first:last]:
        largest = max(largest, starts[text + 1] - starts[text])
    members, marks = np.empty(table_size(largest), dtype=np.uint64), np.full(table_size(largest), -1, dtype=np.int64)
    left, right = [np.int64(0) for _ in range(0)], [np.int64(0) for _ in range(0)]
    for place in range(first, last):
        text = texts[place]
        prefix = tokens[ends[place] : ends[place + 1]]
        count = _partners(text, prefix, found, owners, table, firsts, stretches, labels, starts, stamps, partners)
        mine = shingles[starts[text] : starts[text + 1]]
        if count > 0:
            fill(mine, members, marks, place)
        for other in partners[:count]:
            theirs = shingles[starts[other] : starts[other + 1]]
            wanted = needed(len(mine), len(theirs), threshold)
            if max(text, other) < new_from or len(theirs) < wanted:
                continue
            if common_members(len(mine), members, marks, place, theirs, wanted) >= wanted:
                left.append(text)
                right.append(other)
    return np.array(left, dtype=np.int64), np.array(right, dtype=np.int64)


@njit(cache=True, nogil=True)
def share_a_band(
    left: Places, right: Places, shingles: Hashes, starts: Places, factors: Halves, addends: Halves, rows: int
) -> NDArray[np.bool_]:
    """[pairs]: whether texts left[i] and right[i] meet in a bucket; their keys are worked out again."""
    bands = len(factors) // rows
    one, other = np.empty(bands, dtype=np.uint64), np.empty(bands, dtype=np.uint64)
    halves = np.empty(BLOCK, dtype=np.uint32)
    shared = np.zeros(len(left), dtype=np.bool_)
    for pair in range(len(left)):
        band_keys(shingles[starts[left[pair]] : starts[left[pair] + 1]], factors, addends, rows, halves, one)
        band_keys(shingles[starts[right[pair]] : starts[right[pair] + 1]], factors, addends, rows, halves, other)
        shared[pair] = (one == other).any()
    return shared
