"""The search for similar pairs among texts that share a bucket, in stretches that fit in memory.

    Search(sets, nearness, components, threads=2).run(buckets)

Pairs are proposed by one thread, which knows what has been joined, and compared by all. What is looked at of shingles
and of arrays that grow with the corpus is forgotten again (mapped.py), so only the members of the largest bucket have
to fit in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from acclimate.data.similarity.components import Components
from acclimate.data.similarity.mapped import edges_of, scratch_array
from acclimate.data.similarity.sketches import Nearness, ShingleSets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Flags = NDArray[np.bool_]
    Hashes = NDArray[np.uint64]
    Places = NDArray[np.int64]
    Buckets = tuple[Places, Places]

NEIGHBOUR_BANDS = 8
"""In so many bands the members of crowded buckets are compared with their neighbours: a crowd of copies has
become one component by then, and a crowd of different texts is not compared in vain for ever."""
PAIRS_PER_MEMBER = 16
"""A bucket is crowded if it has more pairs left than this many times its members."""
PAIRS_MAPPED = 1 << 8
"""After so many comparisons shingles are forgotten: each maps in some 64 kB around what it reads."""
_PAIRS_AT_ONCE = 1 << 20
_REJECTED_SLOTS = 1 << 16


@dataclass
class Search:
    """One search for similar pairs; what it finds is joined in `components`."""

    sets: ShingleSets
    nearness: Nearness
    components: Components
    threads: int = 1
    new_from: int = 0
    """Pairs of two texts before this one are known already."""
    _rejected: Hashes = field(default_factory=lambda: np.zeros(_REJECTED_SLOTS, dtype=np.uint64))
    """Pairs found dissimilar of late: most share several bands."""

    def run(self, buckets: Iterable[tuple[int, Callable[[], Buckets]]]) -> None:
        """Compare what shares a bucket, then what crowded buckets hold.

        Args:
            buckets: Band by band, and in a band part by part, its number and what finds the buckets.
        """
        from acclimate.data.similarity.crowds import resolve

        texts = len(self.sets.starts) - 1
        crowded = scratch_array(self.sets.scratch, "crowded", np.bool_, texts)
        with ThreadPoolExecutor(self.threads) as pool:
            for band, (members, starts) in _ahead(buckets, pool):
                for left, right in self._proposed(members, starts, crowded, heed=band >= NEIGHBOUR_BANDS):
                    self.compare(left, right, pool)
            resolve(self, crowded, pool)

    def _proposed(
        self, members: Places, starts: Places, crowded: Flags, *, heed: bool
    ) -> Iterator[tuple[Places, Places]]:
        """The pairs of some buckets; each stretch of them knows what the one before has joined."""
        from acclimate.data.kernels.buckets import neighbours, remaining

        parents, new_from = self.components.parents, self.new_from
        yield neighbours(members, starts, parents, crowded, heed, new_from)
        bucket = 0
        while bucket < len(starts) - 1:
            left, right, bucket = remaining(
                members, starts, parents, crowded, new_from, bucket, _PAIRS_AT_ONCE, PAIRS_PER_MEMBER
            )
            yield left, right

    def compare(self, left: Places, right: Places, pool: Executor) -> None:
        """Join what is similar of these pairs."""
        from acclimate.data.kernels.similarity import jaccard, not_rejected, reject

        fresh = not_rejected(left, right, self._rejected)
        left, right = left[fresh], right[fresh]
        order = np.argsort(left, kind="stable")
        left, right = left[order], right[order]
        shingles, starts, threshold = self.sets.shingles, self.sets.starts, self.nearness.threshold

        def similar(part: slice) -> Flags:
            found: Flags = jaccard(left[part], right[part], shingles, starts, threshold) > 0
            self.sets.forget_pages()
            return found

        parts = [slice(*edges) for edges in edges_of(len(left), max(self.threads, len(left) // PAIRS_MAPPED))]
        for part, found in zip(parts, pool.map(similar, parts), strict=True):
            self.components.join_all(left[part][found], right[part][found])
            reject(left[part][~found], right[part][~found], self._rejected)


def _ahead(buckets: Iterable[tuple[int, Callable[[], Buckets]]], pool: Executor) -> Iterator[tuple[int, Buckets]]:
    """What each finds; the next is looked for while one is worked on."""
    waiting = None
    for band, find in buckets:
        coming = pool.submit(find)
        if waiting is not None:
            yield waiting[0], waiting[1].result()
        waiting = band, coming
    if waiting is not None:
        yield waiting[0], waiting[1].result()
