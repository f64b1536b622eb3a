"""Union-find over the numbers 0 … n - 1: parents[i] is i or a smaller number of the same component."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Places = NDArray[np.int64]


@njit(cache=True, nogil=True)
def root(parents: Places, number: int) -> int:
    """The smallest member of the number's component; halves the path to it."""
    while parents[number] != number:
        parents[number] = parents[parents[number]]
        number = parents[number]
    return number


@njit(cache=True, nogil=True)
def seen_root(parents: Places, number: int) -> int:
    """The same, and nothing is written: threads may look at once."""
    while parents[number] != number:
        number = parents[number]
    return number


@njit(cache=True, nogil=True)
def join(parents: Places, left: Places, right: Places) -> Places:
    """Put the components of left[i] and right[i] together, all i.

    Returns:
        The numbers that were the smallest of their component and are not any more.
    """
    deposed = np.empty(len(left), dtype=np.int64)
    count = 0
    for pair in range(len(left)):
        one, other = root(parents, left[pair]), root(parents, right[pair])
        if one != other:
            deposed[count] = max(one, other)
            parents[deposed[count]] = min(one, other)
            count += 1
    return deposed[:count].copy()


@njit(cache=True, nogil=True)
def roots(parents: Places, numbers: Places) -> Places:
    """The smallest member of each number's component."""
    found = np.empty(len(numbers), dtype=np.int64)
    for place in range(len(numbers)):
        found[place] = root(parents, numbers[place])
    return found
