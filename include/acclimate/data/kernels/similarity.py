"""Exact Jaccard similarity of sets of shingles.

Text i's shingles are shingles[starts[i]:starts[i + 1]], distinct, in any order. Pairs that have their left text
in common should stand together: its hash set is filled once for all of them. Slots are stamped with the text
they were filled for, so the set is never cleared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from acclimate.data.kernels.sketch import table_size

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]
    Places = NDArray[np.int64]


@njit(cache=True, nogil=True)
def needed(one: int, other: int, threshold: float) -> int:
    """The fewest common members with which sets of these sizes reach `threshold`, exactly as division says."""
    common = int(threshold * (one + other) / (1 + threshold))
    while common > 0 and (common - 1) / (one + other - common + 1) >= threshold:
        common -= 1
    while common < one + other and common / max(1, one + other - common) < threshold:
        common += 1
    return common


@njit(cache=True, nogil=True)
def fill(members: Hashes, table: Hashes, stamps: Places, stamp: int) -> None:
    """Make `table` the set of `members` under `stamp`."""
    mask = np.uint64(table_size(len(members)) - 1)
    for member in members:
        slot = member & mask
        while stamps[slot] == stamp:
            slot = (slot + np.uint64(1)) & mask
        stamps[slot] = stamp
        table[slot] = member


@njit(cache=True, nogil=True)
def common_members(size: int, table: Hashes, stamps: Places, stamp: int, others: Hashes, wanted: int) -> int:
    """How many of `others` are in the set of `size` members; gives up when `wanted` is out of reach."""
    mask = np.uint64(table_size(size) - 1)
    found, misses = 0, len(others) - wanted
    for member in others:
        slot = member & mask
        while stamps[slot] == stamp and table[slot] != member:
            slot = (slot + np.uint64(1)) & mask
        if stamps[slot] == stamp:
            found += 1
        else:
            misses -= 1
            if misses < 0:
                break
    return found


@njit(cache=True, nogil=True)
def jaccard(left: Places, right: Places, shingles: Hashes, starts: Places, threshold: float) -> NDArray[np.float64]:
    """[pairs]: the similarity of texts left[i] and right[i]; 0 where it is below `threshold` or a text is empty."""
    largest = 0
    for text in left:
        largest = max(largest, starts[text + 1] - starts[text])
    table = np.empty(table_size(largest), dtype=np.uint64)
    stamps = np.zeros(len(table), dtype=np.int64)
    similarity = np.zeros(len(left), dtype=np.float64)
    filled_for, stamp = -1, 0
    for pair in range(len(left)):
        mine = shingles[starts[left[pair]] : starts[left[pair] + 1]]
        theirs = shingles[starts[right[pair]] : starts[right[pair] + 1]]
        wanted = needed(len(mine), len(theirs), threshold)
        if min(len(mine), len(theirs)) < max(1, wanted):
            continue
        if left[pair] != filled_for:
            stamp += 1
            filled_for = left[pair]
            fill(mine, table, stamps, stamp)
        common = common_members(len(mine), table, stamps, stamp, theirs, wanted)
        if common >= wanted:
            similarity[pair] = common / (len(mine) + len(theirs) - common)
    return similarity


@njit(cache=True, nogil=True)
def _code(one: int, other: int) -> np.uint64:
    """Of a pair in this order; two pairs of a corpus below 2³² texts never have the same, nor any pair 0."""
    code: np.uint64 = (np.uint64(one) << np.uint64(32) | np.uint64(other)) + np.uint64(1)
    return code


@njit(cache=True, nogil=True)
def _slot(code: np.uint64, rejected: Hashes) -> np.uint64:
    slot: np.uint64 = (code * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(32)) % np.uint64(len(rejected))
    return slot


@njit(cache=True, nogil=True)
def not_rejected(left: Places, right: Places, rejected: Hashes) -> NDArray[np.bool_]:
    """[pairs]: whether it is not among those that `reject` was told of lately."""
    fresh = np.ones(len(left), dtype=np.bool_)
    for pair in range(len(left)):
        code = _code(left[pair], right[pair])
        fresh[pair] = rejected[_slot(code, rejected)] != code
    return fresh


@njit(cache=True, nogil=True)
def reject(left: Places, right: Places, rejected: Hashes) -> None:
    """Remember these pairs in `rejected`, each in one slot, where a later one may take its place."""
    for pair in range(len(left)):
        code = _code(left[pair], right[pair])
        rejected[_slot(code, rejected)] = code
