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
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from acclimate.data.similarity.components import Components
from acclimate.data.similarity.mapped import forget, scratch_array, stretches
from acclimate.data.similarity.search import Search
from acclimate.data.similarity.sketches import Nearness, Sketches

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Flags = NDArray[np.bool_]
    Hashes = NDArray[np.uint64]
    Places = NDArray[np.int64]
    Buckets = tuple[Places, Places]

KEYS_AT_ONCE = 1 << 22
"""Keys of a band that are searched for buckets at once, about."""
_SLOTS_PER_KEY = 8


def near_duplicates(sketches: Sketches, nearness: Nearness, *, threads: int = 1) -> Components:
    """Join every two texts that share a band and whose similarity reaches the threshold."""
    components = Components.single(len(sketches.streams), sketches.sets.scratch)
    first = join_equal(sketches, components)

    def buckets() -> Iterator[tuple[int, Callable[[], Buckets]]]:
        for band in range(nearness.banding.bands):
            for find in recurring(sketches.band_keys(band), first):
                yield band, find
            components.forget_pages()

    Search(sketches.sets, nearness, components, threads).run(buckets())
    return components


def join_equal(sketches: Sketches, components: Components) -> Flags:
    """Join texts with equal words; return which texts are the first of such a set, without those that have no words."""
    first: Flags = scratch_array(sketches.sets.scratch, "first", np.bool_, len(sketches.streams))
    for part in stretches(len(first)):
        first[part] = np.diff(sketches.sets.starts[part.start : part.stop + 1]) > 0
        forget(first, sketches.sets.starts)
    for find in recurring(sketches.streams, first):
        members, starts = find()
        components.join_all(np.repeat(members[starts[:-1]], np.diff(starts)), members)
        first[members] = False
        first[members[starts[:-1]]] = True
    return first


def recurring(keys: Hashes, included: Flags) -> list[Callable[[], Buckets]]:
    """What finds the buckets of these keys, so many at once that they fit in memory."""
    parts = max(1, -(-len(keys) // KEYS_AT_ONCE))
    return [partial(_buckets, keys, included, part, parts) for part in range(parts)]


def _buckets(keys: Hashes, included: Flags, part: int, parts: int) -> Buckets:
    """The included texts that have a key of this part in common with another, ascending in each bucket."""
    from acclimate.data.kernels.recurring import collect, mark

    words = 1 << max(0, (len(keys) // parts * _SLOTS_PER_KEY // 64).bit_length())
    once, again = np.zeros(words, dtype=np.uint64), np.zeros(words, dtype=np.uint64)
    for here in stretches(len(keys)):
        mark(keys[here], included[here], part, parts, once, again)
        forget(keys, included)
    found: list[tuple[Hashes, Places]] = []
    for here in stretches(len(keys)):
        found.append(collect(keys[here], included[here], part, parts, again, here.start))
        forget(keys, included)
    if not found:
        return np.empty(0, dtype=np.int64), np.zeros(1, dtype=np.int64)
    return buckets_of(*(np.concatenate(columns) for columns in zip(*found, strict=True)))


def buckets_of(keys: Hashes, members: Places) -> Buckets:
    """Members that have a key in common with another, bucket after bucket, and where each bucket starts."""
    from acclimate.data.kernels.buckets import sorted_runs

    order = np.argsort(keys, kind="stable")
    found: Buckets = sorted_runs(keys[order], members[order])
    return found
