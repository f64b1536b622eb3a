"""Which texts are nearly the same: MinHash-LSH proposes pairs, exact Jaccard decides.

    nearness = Nearness(threshold=0.8, shingle_words=5, seed=1729)
    components = near_duplicates(sketch_texts(texts, nearness), nearness)
    components.labels()      # [0, 1, 0, …]: text 2 is (transitively) a near-duplicate of text 0

Two texts are near-duplicates if the Jaccard similarity of their sets of word n-grams reaches the
threshold; a text shorter than n words is compared by its whole word sequence; a text without words
is nobody's duplicate. Texts with equal word sequences are joined before anything else.

A pair of similarity J shares a band of r rows with probability 1 - (1 - Jʳ)ᵇ (Leskovec, Rajaraman,
Ullman, Mining of Massive Datasets, 3.4.2). Of 128 permutations the most rows per band are taken that
keep this at MIN_RECALL or above for a pair exactly at the threshold: 21 × 6 (0.998) for 0.8,
42 × 3 (0.996) for 0.5; a pair above it is missed more rarely still, and a component only if
every path through it is.

The result is defined without reference to how it is found: the components of the graph whose edges are
the pairs that share a band and reach the threshold. Neither the order of the texts nor the number of
threads nor the size of a bucket plays a part in it, and a corpus that grows has the components of the
whole (near_index.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from acclimate.data.similarity.sketches import Nearness, Sketches

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]
    Places = NDArray[np.int64]
    Buckets = tuple[Places, Places]

NEIGHBOUR_BANDS = 8
"""In so many bands the members of crowded buckets are compared with their neighbours: a crowd of copies has
become one component by then, and a crowd of different texts is not compared in vain for ever."""
PAIRS_PER_MEMBER = 16
"""A bucket is crowded if it has more pairs left than this many times its members."""
_PAIRS_MAPPED = 1 << 8
"""After so many comparisons spilled shingles are unmapped: each maps in some 64 kB around what it reads."""
_PAIRS_AT_ONCE = 1 << 21
_FIRST_BLOCK = 64
_LARGEST_BLOCK = 4096


class Components:
    """Union-find over the numbers 0 … size - 1; a component is named after its smallest member."""

    def __init__(self, size: int) -> None:
        self._parents: Places = np.arange(size)

    @classmethod
    def of(cls, labels: Places) -> Components:
        """Components that are known already, by their labels."""
        components = cls(0)
        components._parents = labels.astype(np.int64)
        return components

    def join(self, left: int, right: int) -> None:
        """Put the components of `left` and `right` together."""
        low, high = sorted((self._root(left), self._root(right)))
        self._parents[high] = low

    def join_all(self, left: Places, right: Places) -> None:
        """Put the components of left[i] and right[i] together, all i."""
        from acclimate.data.kernels.components import join

        join(self._parents, left, right)

    def settled(self) -> Places:
        """[size]: the labels as they are kept, to be read before the next join."""
        from acclimate.data.kernels.components import settle

        settle(self._parents)
        return self._parents

    def labels(self) -> Places:
        """[size]: the smallest member of each number's component."""
        return self.settled().copy()

    def _root(self, number: int) -> int:
        while (parent := int(self._parents[number])) != number:
            self._parents[number] = self._parents[parent]
            number = parent
        return number


def near_duplicates(sketches: Sketches, nearness: Nearness, *, threads: int = 1) -> Components:
    """Join every two texts that share a band and whose similarity reaches the threshold."""
    components = Components(len(sketches.streams))
    first = join_equal(sketches, components)

    def buckets(band: int) -> Buckets:
        return buckets_of(sketches.band_keys(band)[first], first)

    Search(sketches, nearness, components, threads).run(buckets)
    return components


def join_equal(sketches: Sketches, components: Components) -> Places:
    """Join texts with equal words; return the first of each such set, ascending, without those that have no words."""
    filled = np.flatnonzero(sketches.sizes)
    members, starts = buckets_of(sketches.streams[filled], filled)
    components.join_all(np.repeat(members[starts[:-1]], np.diff(starts)), members)
    labels = components.settled()
    first: Places = filled[labels[filled] == filled]
    return first


def buckets_of(keys: Hashes, members: Places, *, stable: bool = False) -> Buckets:
    """Members that have a key in common with another: bucket after bucket, and where each bucket starts.

    `stable` keeps members of one bucket in the order they came in.
    """
    from acclimate.data.kernels.buckets import sorted_runs

    order = np.argsort(keys, kind="stable" if stable else None)
    found: Buckets = sorted_runs(keys[order], members[order])
    return found


@dataclass
class Search:
    """One search for similar pairs; what it finds is joined in `components`."""

    sketches: Sketches
    nearness: Nearness
    components: Components
    threads: int = 1
    new_from: int = 0
    """Pairs of two texts before this one are known already."""

    def run(self, buckets: Callable[[int], Buckets]) -> None:
        """Compare what shares a bucket in any band, then what crowded buckets hold."""
        crowded = np.zeros(len(self.sketches.streams), dtype=bool)
        with ThreadPoolExecutor(self.threads) as pool:
            for band, (members, starts) in enumerate(_ahead(buckets, self.nearness.banding.bands, pool)):
                for left, right in self._proposed(members, starts, crowded, band):
                    self._compare(left, right, pool)
            texts = np.flatnonzero(crowded)
            if len(texts):
                self._resolve(texts, pool)

    def _proposed(
        self, members: Places, starts: Places, crowded: NDArray[np.bool_], band: int
    ) -> Iterator[tuple[Places, Places]]:
        """The pairs of one band; each stretch of them knows what the one before has joined."""
        from acclimate.data.kernels.buckets import neighbours, remaining

        skipped = crowded if band >= NEIGHBOUR_BANDS else np.zeros_like(crowded)
        yield neighbours(members, starts, self.components.settled(), skipped, self.new_from)
        bucket = 0
        while bucket < len(starts) - 1:
            left, right, bucket = remaining(
                members,
                starts,
                self.components.settled(),
                crowded,
                self.new_from,
                bucket,
                _PAIRS_AT_ONCE,
                PAIRS_PER_MEMBER,
            )
            yield left, right

    def _compare(self, left: Places, right: Places, pool: Executor) -> None:
        from acclimate.data.kernels.similarity import jaccard

        order = np.argsort(left, kind="stable")
        left, right = left[order], right[order]
        shingles, starts, threshold = self.sketches.shingles, self.sketches.starts, self.nearness.threshold

        def similar(part: slice) -> NDArray[np.bool_]:
            found: NDArray[np.bool_] = jaccard(left[part], right[part], shingles, starts, threshold) > 0
            self.sketches.forget_pages()
            return found

        parts = [slice(*edges) for edges in _stretches(len(left), max(self.threads, len(left) // _PAIRS_MAPPED))]
        for part, found in zip(parts, pool.map(similar, parts), strict=True):
            self.components.join_all(left[part][found], right[part][found])

    def _resolve(self, texts: Places, pool: Executor) -> None:
        """Find all similar pairs among texts of crowded buckets; here these are numbered by themselves, from 0."""
        from acclimate.data.kernels import prefix_join as kernel

        shingles, starts = self._gathered(texts)
        threshold, new_from = self.nearness.threshold, int(np.searchsorted(texts, self.new_from))
        numbers = np.arange(len(texts))
        tokens, ends = kernel.prefixes(
            numbers, shingles, starts, kernel.frequencies(numbers, shingles, starts), threshold
        )
        found, owners = kernel.entries(numbers, tokens, ends, starts, threshold)
        labels = self.components.settled()[texts]
        order = np.lexsort((labels[owners], found))
        found, owners = found[order], owners[order]
        lists = kernel.lists(found, owners, labels)

        def similar(edges: tuple[int, int]) -> tuple[Places, Places]:
            left, right = kernel.similar_pairs(
                *edges, numbers, tokens, ends, found, owners, *lists, labels, shingles, starts, threshold, new_from
            )
            banded = self._share_a_band(left, right, shingles, starts)
            return texts[left[banded]], texts[right[banded]]

        for first, last in _growing(len(texts)):
            labels = self.components.settled()[texts]
            parts = [(first + start, first + end) for start, end in _stretches(last - first, self.threads)]
            for left, right in list(pool.map(similar, parts)):
                self.components.join_all(left, right)

    def _gathered(self, texts: Places) -> tuple[Hashes, Places]:
        """The shingles of these texts in memory, and where each text starts among them."""
        begins, sizes = self.sketches.starts[texts], self.sketches.sizes[texts]
        starts = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes)])
        gathered = np.empty(starts[-1], dtype=np.uint64)
        for number, (begin, size) in enumerate(zip(begins.tolist(), sizes.tolist(), strict=True)):
            gathered[starts[number] : starts[number + 1]] = self.sketches.shingles[begin : begin + size]
            if number % _PAIRS_MAPPED == 0:
                self.sketches.forget_pages()
        return gathered, starts

    def _share_a_band(self, left: Places, right: Places, shingles: Hashes, starts: Places) -> NDArray[np.bool_]:
        from acclimate.data.kernels.prefix_join import share_a_band
        from acclimate.data.kernels.sketch import linear_maps

        rows = self.nearness.banding.rows
        maps = linear_maps(self.nearness.seed, self.nearness.banding.bands * rows)
        shared: NDArray[np.bool_] = share_a_band(left, right, shingles, starts, *maps, rows)
        return shared


def _ahead(buckets: Callable[[int], Buckets], bands: int, pool: Executor) -> Iterator[Buckets]:
    """The buckets of every band; those of the next are sorted while one is worked on."""
    coming = pool.submit(buckets, 0)
    for band in range(bands):
        here = coming.result()
        if band + 1 < bands:
            coming = pool.submit(buckets, band + 1)
        yield here


def _stretches(length: int, parts: int) -> list[tuple[int, int]]:
    edges = [length * part // parts for part in range(parts + 1)]
    return [(start, end) for start, end in pairwise(edges) if end > start]


def _growing(length: int) -> Iterator[tuple[int, int]]:
    """Blocks of 0 … length that start small: what the first join, the later need not compare."""
    start, block = 0, _FIRST_BLOCK
    while start < length:
        yield start, min(length, start + block)
        start += block
        block = min(2 * block, _LARGEST_BLOCK)
