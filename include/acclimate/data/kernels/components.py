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
def join(parents: Places, left: Places, right: Places) -> None:
    """Put the components of left[i] and right[i] together, all i."""
    for pair in range(len(left)):
        one, other = root(parents, left[pair]), root(parents, right[pair])
        parents[max(one, other)] = min(one, other)


@njit(cache=True, nogil=True)
def settle(parents: Places) -> None:
    """Make every parent the smallest member of its component."""
    for number in range(len(parents)):
        # A parent is smaller and so has been settled before.
        parents[number] = parents[parents[number]]
