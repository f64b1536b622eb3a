"""Keys that come more than once, told from the many that do not in two passes over them.

The first pass sets a bit for each key, and a second one where that is set already; the second pass keeps the keys
whose second bit is set: all that recur and a few that only share the bits, which sorting them then tells apart.
A corpus has millions of keys of which some percent recur; sorting all of them took ten times as long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bits = NDArray[np.uint64]
    Flags = NDArray[np.bool_]
    Hashes = NDArray[np.uint64]
    Places = NDArray[np.int64]


@njit(cache=True, nogil=True)
def _belongs(key: np.uint64, part: int, parts: int) -> bool:
    return parts == 1 or (key >> np.uint64(40)) % np.uint64(parts) == np.uint64(part)


@njit(cache=True, nogil=True)
def mark(keys: Hashes, included: Flags, part: int, parts: int, once: Bits, again: Bits) -> None:
    """Set the bits of the included keys that belong to a part of the keys; `once` has a power of two of words."""
    mask = np.uint64(64 * len(once) - 1)
    for place in range(len(keys)):
        if not included[place] or not _belongs(keys[place], part, parts):
            continue
        slot = keys[place] & mask
        word, bit = slot >> np.uint64(6), np.uint64(1) << (slot & np.uint64(63))
        again[word] |= once[word] & bit
        once[word] |= bit


@njit(cache=True, nogil=True)
def collect(keys: Hashes, included: Flags, part: int, parts: int, again: Bits, first: int) -> tuple[Hashes, Places]:
    """The keys whose bit is set in `again`, and their texts, of which the first has the number `first`."""
    mask = np.uint64(64 * len(again) - 1)
    found, texts = np.empty(len(keys), dtype=np.uint64), np.empty(len(keys), dtype=np.int64)
    count = 0
    for place in range(len(keys)):
        slot = keys[place] & mask
        if again[slot >> np.uint64(6)] >> (slot & np.uint64(63)) & np.uint64(1) == np.uint64(0):
            continue
        if included[place] and _belongs(keys[place], part, parts):
            found[count], texts[count] = keys[place], first + place
            count += 1
    return found[:count].copy(), texts[:count].copy()
