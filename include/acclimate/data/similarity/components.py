"""Which texts belong together: the connected components of a graph whose edges come one by one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from acclimate.data.similarity.mapped import forget, scratch_array, stretches

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Places = NDArray[np.int64]


class Components:
    """Union-find over the numbers 0 … size - 1; a component is named after its smallest member."""

    def __init__(self, parents: Places) -> None:
        self.parents = parents
        """[size]: a smaller member of the same component, or the number itself if there is none."""
        self._deposed: list[Places] = []

    @classmethod
    def single(cls, size: int, scratch: Path | None = None) -> Components:
        """Every number a component by itself; kept in a file of `scratch` if that is given."""
        parents = scratch_array(scratch, "parents", np.int64, size)
        for part in stretches(size):
            parents[part] = np.arange(part.start, part.stop)
            forget(parents)
        return cls(parents)

    def forget_pages(self) -> None:
        """Let go of what is mapped in; only of components that are `single` to begin with."""
        forget(self.parents)

    def join(self, left: int, right: int) -> None:
        """Put the components of `left` and `right` together."""
        low, high = sorted((self._root(left), self._root(right)))
        if low != high:
            self.parents[high] = low
            self._deposed.append(np.array([high], dtype=np.int64))

    def join_all(self, left: Places, right: Places) -> None:
        """Put the components of left[i] and right[i] together, all i."""
        from acclimate.data.kernels.components import join

        if len(left):
            self._deposed.append(join(self.parents, left, right))

    def deposed(self) -> Places:
        """Numbers that were the smallest of their component until something was joined here, ascending."""
        found: Places = np.sort(np.concatenate([np.empty(0, dtype=np.int64), *self._deposed]))
        return found

    def labels(self, numbers: Places | None = None) -> Places:
        """The smallest member of the component of each of these numbers, by default of all."""
        from acclimate.data.kernels.components import roots

        found: Places = roots(self.parents, np.arange(len(self.parents)) if numbers is None else numbers)
        return found

    def _root(self, number: int) -> int:
        while (parent := int(self.parents[number])) != number:
            self.parents[number] = self.parents[parent]
            number = parent
        return number
