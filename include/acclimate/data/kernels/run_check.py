"""Whether texts hold given runs of words, by the words themselves.

    of_length = np.unique(lengths)
    index = index_runs(items, begins, lengths, of_length[0])
    holding(texts.hashes, texts.starts, items, begins, lengths, of_length, *index)

A bit array says of almost every place of a text that no run begins there, by as many words as the shortest run has;
at the others the runs of each length are looked up in an open-addressing table and compared word by word. Nothing
is shared with passage_scan.py, whose result this checks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Flags = NDArray[np.bool_]
    Hashes = NDArray[np.uint64]
    Places = NDArray[np.int64]
    Slots = NDArray[np.int32]

BITS_PER_SLOT = 8
"""Of which there are two to four for each run."""
_BASE = np.uint64(0x9FB21C651E98DF25)
_SPREAD = np.uint64(0xD6E8FEB86659FD93)


@njit(cache=True, nogil=True)
def _hash(words: Hashes, begin: int, length: int) -> np.uint64:
    """Of words[begin:begin + length]; its upper bits depend on all of them."""
    state = np.uint64(length)
    for place in range(begin, begin + length):
        state = (state ^ words[place]) * _BASE
    return (state ^ (state >> np.uint64(32))) * _SPREAD


@njit(cache=True, nogil=True)
def _equal(left: Hashes, at_left: int, right: Hashes, at_right: int, length: int) -> bool:
    same = True
    for step in range(length):
        same &= left[at_left + step] == right[at_right + step]
    return same


@njit(cache=True, nogil=True)
def index_runs(words: Hashes, begins: Places, lengths: Places, shortest: int) -> tuple[Hashes, Slots]:
    """What `holding` needs to find the runs words[begin:begin + length].

    Returns:
        The bit array, in words of 64, and for each slot the number of its run + 1, or 0; powers of two of places.
    """
    size = 64
    while size < 2 * len(begins):
        size *= 2
    slots = np.zeros(size, dtype=np.int32)
    bits = np.zeros(size * BITS_PER_SLOT // 64, dtype=np.uint64)
    for run in range(len(begins)):
        bit = _hash(words, begins[run], shortest) & np.uint64(64 * len(bits) - 1)
        bits[bit >> np.uint64(6)] |= np.uint64(1) << (bit & np.uint64(63))
        slot = _slot(words, begins[run], lengths[run], size)
        while slots[slot]:
            other = slots[slot] - 1
            if lengths[other] == lengths[run] and _equal(words, begins[other], words, begins[run], lengths[run]):
                break
            slot = (slot + 1) & (size - 1)
        slots[slot] = run + 1
    return bits, slots


@njit(cache=True, nogil=True)
def holding(
    words: Hashes,
    starts: Places,
    items: Hashes,
    begins: Places,
    lengths: Places,
    of_length: Places,
    bits: Hashes,
    slots: Slots,
) -> Flags:
    """[texts]: whether each holds one of the runs.

    Args:
        words: of the texts …
        starts: … each from starts[text] to starts[text + 1].
        items: the words the runs are of, as given to index_runs with …
        begins: … where each run begins …
        lengths: … and how long it is.
        of_length: the distinct values of `lengths`, ascending, one or more.
        bits: from index_runs.
        slots: likewise.
    """
    found = np.zeros(len(starts) - 1, dtype=np.bool_)
    mask, shortest = np.uint64(64 * len(bits) - 1), of_length[0]
    for text in range(len(starts) - 1):
        end = starts[text + 1]
        for place in range(starts[text], end - shortest + 1):
            bit = _hash(words, place, shortest) & mask
            if (bits[bit >> np.uint64(6)] >> (bit & np.uint64(63))) & np.uint64(1) and _begins_here(
                words, place, end, items, begins, lengths, of_length, slots
            ):
                found[text] = True
                break
    return found


@njit(cache=True, nogil=True)
def _begins_here(
    words: Hashes,
    place: int,
    end: int,
    items: Hashes,
    begins: Places,
    lengths: Places,
    of_length: Places,
    slots: Slots,
) -> bool:
    """Whether a run begins at `place` of a text that goes to `end`."""
    for length in of_length:
        if place + length > end:
            continue
        slot = _slot(words, place, length, len(slots))
        while slots[slot]:
            run = slots[slot] - 1
            if lengths[run] == length and _equal(items, begins[run], words, place, length):
                return True
            slot = (slot + 1) & (len(slots) - 1)
    return False


@njit(cache=True, nogil=True)
def _slot(words: Hashes, begin: int, length: int, size: int) -> np.int64:
    return np.int64(_hash(words, begin, length) >> np.uint64(33)) & np.int64(size - 1)
