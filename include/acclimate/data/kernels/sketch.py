"""Texts as sets of word n-grams (shingles), and MinHash keys of these sets.

A shingle is the rolling polynomial of its words' hashes; a text of fewer words than n is one shingle, all of it.
A signature's slot is the smallest value of a random linear map modulo 2³² over the high halves of the shingles
(Broder 1997, On the resemblance and containment of documents); a band key hashes the slots of one band, so that
two texts agree on it with probability Jʳ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from acclimate.data.kernels.tokens import WORDS_PER_BYTE, ascii_steps, finish, hash_words, longest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Hashes = NDArray[np.uint64]
    Halves = NDArray[np.uint32]
    Places = NDArray[np.int64]

BLOCK = 1024
"""Shingles whose slots are computed at once: what stays in the first-level cache."""
_MIXER = 0x9FB21C651E98DF25


def linear_maps(seed: int, slots: int) -> tuple[Halves, Halves]:
    """Odd factors and addends of the signature's random maps, both [slots]."""
    random = np.random.default_rng(seed)
    factors, addends = random.integers(0, 1 << 32, (2, slots), dtype=np.uint32)
    return factors | np.uint32(1), addends


@njit(cache=True, nogil=True)
def _ngrams(words: Hashes, count: int, n: int, base: np.uint64, out: Hashes) -> int:
    """Write one hash for each run of n words, and return how many there are."""
    length = min(n, count)
    state = np.uint64(0)
    oldest = np.uint64(1)  # base ** length
    for place in range(length):
        state = state * base + words[place]
        oldest *= base
    if count == 0:
        return 0
    out[0] = finish(state)
    for place in range(length, count):
        state = state * base + words[place] - words[place - length] * oldest
        out[place - length + 1] = finish(state)
    return count - length + 1


@njit(cache=True, nogil=True)
def table_size(members: int) -> int:
    """Slots of a hash table at most half full: a power of two."""
    size = 16
    while size < 2 * members:
        size *= 2
    return size


@njit(cache=True, nogil=True)
def _keep_distinct(grams: Hashes, count: int, table: Hashes, stamps: Places, stamp: int) -> int:
    """Move the distinct of grams[:count] to the front; slots of `table` stamped otherwise count as empty."""
    mask = np.uint64(table_size(count) - 1)
    distinct = 0
    for place in range(count):
        gram = grams[place]
        slot = gram & mask
        while stamps[slot] == stamp and table[slot] != gram:
            slot = (slot + np.uint64(1)) & mask
        if stamps[slot] != stamp:
            stamps[slot] = stamp
            table[slot] = gram
            grams[distinct] = gram
            distinct += 1
    return distinct


@njit(cache=True, nogil=True)
def _stream(words: Hashes, count: int) -> np.uint64:
    """A hash of the whole word sequence."""
    state = np.uint64(count)
    for place in range(count):
        state = (state ^ words[place]) * np.uint64(_MIXER)
        state ^= state >> np.uint64(29)
    hashed: np.uint64 = finish(state)
    return hashed


@njit(cache=True, nogil=True)
def band_keys(shingles: Hashes, factors: Halves, addends: Halves, rows: int, halves: Halves, keys: Hashes) -> None:
    """Write the band keys of one set of shingles to `keys`; `halves` is scratch of BLOCK."""
    slots = np.full(len(factors), np.uint32(0xFFFFFFFF), dtype=np.uint32)
    for first in range(0, len(shingles), BLOCK):
        width = min(BLOCK, len(shingles) - first)
        for place in range(width):
            halves[place] = np.uint32(shingles[first + place] >> np.uint64(32))
        for slot in range(len(factors)):
            factor, addend, smallest = factors[slot], addends[slot], slots[slot]
            for place in range(width):
                smallest = min(smallest, np.uint32(factor * halves[place] + addend))
            slots[slot] = smallest
    for band in range(len(keys)):
        state = np.uint64(band)
        for row in range(rows):
            state = (state ^ np.uint64(slots[band * rows + row])) * np.uint64(_MIXER)
            state ^= state >> np.uint64(29)
        keys[band] = finish(state)


@njit(cache=True, nogil=True)
def sketch(
    data: Bytes,
    offsets: Places,
    points: Halves,
    expansions: Halves,
    salted: Hashes,
    n: int,
    factors: Halves,
    addends: Halves,
    rows: int,
) -> tuple[Hashes, Places, Hashes, Hashes]:
    """Shingle and sign a batch of texts.

    Returns:
        The distinct shingles of all texts, one after the other; how many each text has [texts]; a hash of each
        text's word sequence [texts]; the band keys [bands, texts].
    """
    texts, bands = len(offsets) - 1, len(factors) // rows
    most = WORDS_PER_BYTE * longest(offsets) + 1
    words, grams = np.empty(most, dtype=np.uint64), np.empty(most, dtype=np.uint64)
    table, stamps = np.empty(table_size(most), dtype=np.uint64), np.zeros(table_size(most), dtype=np.int64)
    halves, key = np.empty(BLOCK, dtype=np.uint32), np.empty(bands, dtype=np.uint64)
    shingles = np.empty((offsets[texts] - offsets[0]) // 4 + texts, dtype=np.uint64)
    sizes, streams = np.zeros(texts, dtype=np.int64), np.zeros(texts, dtype=np.uint64)
    keys = np.zeros((bands, texts), dtype=np.uint64)
    steps, filled = ascii_steps(points, salted), 0
    for text in range(texts):
        count = hash_words(data, offsets[text], offsets[text + 1], points, expansions, salted, steps, words)
        streams[text] = _stream(words, count)
        size = _keep_distinct(grams, _ngrams(words, count, n, salted[2], grams), table, stamps, text + 1)
        if size == 0:
            continue
        if filled + size > len(shingles):
            more = np.empty(2 * (filled + size), dtype=np.uint64)
            more[:filled] = shingles[:filled]
            shingles = more
        shingles[filled : filled + size] = grams[:size]
        band_keys(grams[:size], factors, addends, rows, halves, key)
        keys[:, text] = key
        sizes[text] = size
        filled += size
    return shingles[:filled], sizes, streams, keys
