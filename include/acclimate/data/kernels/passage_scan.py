"""Where runs of n words of one set of texts stand in other texts: one pass, no run is ever stored.

    bits, slots = index(hashes)
    owners, places = scan(words, starts, 13, multiplier, hashes, bits, slots)

The hash of a run is rolled from word to word: h ← (h - wⱼ₋ₙ·mⁿ⁻¹)·m + wⱼ modulo 2⁶⁴, the polynomial of
`WordStreams`. Almost every run stands nowhere else; a bit array of BITS_PER_HASH bits a hash, which stays in the cache
and has two bits in one word set for each (a blocked Bloom filter: Putze, Sanders, Singler 2007), says so for all but
about 1 in 50 of them, and an open-addressing table settles the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]
    Places = NDArray[np.int64]
    Slots = NDArray[np.int32]

BITS_PER_HASH = 16
_SPREAD = np.uint64(0xD6E8FEB86659FD93)
"""Odd, so that the upper bits of a product depend on every bit of the hash (Knuth, TAOCP 3, 6.4)."""


@njit(cache=True, nogil=True)
def index(hashes: Hashes) -> tuple[Hashes, Slots]:
    """The bit array and the table of distinct `hashes`; both have a power of two of places.

    Returns:
        Bits in words of 64, and for each slot the index of its hash + 1, or 0.
    """
    size = 64
    while size < 4 * len(hashes):
        size *= 2
    slots = np.zeros(size, dtype=np.int32)
    bits = np.zeros(size * BITS_PER_HASH // 4 // 64 + 1, dtype=np.uint64)
    slot_shift, bit_shift = _shift(size), _shift(size * BITS_PER_HASH // 4)
    for number in range(len(hashes)):
        spread = hashes[number] * _SPREAD
        bit = spread >> bit_shift
        bits[bit >> np.uint64(6)] |= _two_bits(spread, bit)
        slot = np.int64(spread >> slot_shift)
        while slots[slot]:
            slot = (slot + 1) & (size - 1)
        slots[slot] = number + 1
    return bits, slots


@njit(cache=True, nogil=True)
def scan(
    words: Hashes, starts: Places, n: int, multiplier: np.uint64, hashes: Hashes, bits: Hashes, slots: Slots
) -> tuple[Places, Places]:
    """Every run of `n` words inside one text whose hash is among `hashes`.

    Returns:
        Index of the text and of the hash, both [occurrences], in text order.
    """
    size = len(slots)
    slot_shift, bit_shift = _shift(size), _shift(size * BITS_PER_HASH // 4)
    leaving = np.uint64(1)
    for _ in range(n - 1):
        leaving *= multiplier
    found: NDArray[np.int64] = np.empty((1024, 2), dtype=np.int64)
    count = 0
    for text in range(len(starts) - 1):
        inside = words[starts[text] : starts[text + 1]]
        if len(inside) < n:
            continue
        rolled = np.uint64(0)
        for word in inside[: n - 1]:
            rolled = rolled * multiplier + word
        for oldest in range(len(inside) - n + 1):
            rolled = rolled * multiplier + inside[oldest + n - 1]
            spread = rolled * _SPREAD
            bit = spread >> bit_shift
            wanted = _two_bits(spread, bit)
            if bits[bit >> np.uint64(6)] & wanted == wanted:
                number = _look_up(rolled, spread >> slot_shift, hashes, slots)
                if number >= 0:
                    if count == len(found):
                        found = _twice(found)
                    found[count, 0], found[count, 1] = text, number
                    count += 1
            rolled -= inside[oldest] * leaving
    return found[:count, 0].copy(), found[:count, 1].copy()


@njit(cache=True, nogil=True, inline="always")
def _two_bits(spread: np.uint64, bit: np.uint64) -> np.uint64:
    """Those of a hash in its word of the bit array."""
    return np.uint64(1) << (bit & np.uint64(63)) | np.uint64(1) << (spread >> np.uint64(26) & np.uint64(63))


@njit(cache=True, nogil=True)
def _shift(size: int) -> np.uint64:
    """What brings 64 bits down to a place among `size`, a power of two."""
    shift = np.uint64(64)
    while size > 1:
        size //= 2
        shift -= np.uint64(1)
    return shift


@njit(cache=True, nogil=True)
def _look_up(wanted: np.uint64, first: np.uint64, hashes: Hashes, slots: Slots) -> int:
    """The index of a hash, or -1."""
    slot = np.int64(first)
    while slots[slot]:
        if hashes[slots[slot] - 1] == wanted:
            return int(slots[slot]) - 1
        slot = (slot + 1) & (len(slots) - 1)
    return -1


@njit(cache=True, nogil=True)
def _twice(found: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same rows with as many again."""
    more: NDArray[np.int64] = np.empty((2 * len(found), 2), dtype=np.int64)
    more[: len(found)] = found
    return more
