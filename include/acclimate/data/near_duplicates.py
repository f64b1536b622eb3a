"""Which texts are nearly the same: MinHash-LSH proposes pairs, exact Jaccard decides.

    sets = ShingleSets.of(texts, shingle_words=5)
    components = near_duplicates(sets, threshold=0.8, seed=1729)
    components.labels()      # [0, 1, 0, …]: text 2 is (transitively) a near-duplicate of text 0

Two texts are near-duplicates if the Jaccard similarity of their sets of word n-grams reaches the
threshold; a text shorter than n words is compared by its whole word sequence; a text without words
is nobody's duplicate. Texts with equal word sequences are collapsed before anything else.

A pair of similarity J shares a band of r rows with probability 1 - (1 - Jʳ)ᵇ (Leskovec, Rajaraman,
Ullman, Mining of Massive Datasets, 3.4.2). Of 128 permutations the most rows per band are taken that
keep this at MIN_RECALL or above for a pair exactly at the threshold: 21 × 6 (0.998) for 0.8,
42 × 3 (0.996) for 0.5; a pair above it is missed more rarely still, and a component only if
every path through it is. What is proposed is checked exactly, so nothing is joined by chance.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from acclimate.data.words import WordStreams, ranges

if TYPE_CHECKING:
    from numpy.typing import NDArray

PERMUTATIONS = 128
MIN_RECALL = 0.995
_CHUNK = 1 << 22
"""Shingles compared at once: bounds the memory of a check at about 100 MB."""


@dataclass(frozen=True)
class Banding:
    """How signatures are cut: texts agreeing on all rows of any band become a candidate pair."""

    bands: int
    rows: int

    @classmethod
    def at(cls, threshold: float) -> Banding:
        """The most rows, hence the fewest candidates, that still find pairs at `threshold`."""
        choices = [cls(PERMUTATIONS // rows, rows) for rows in range(1, PERMUTATIONS + 1)]
        return max((c for c in choices if c.recall(threshold) >= MIN_RECALL), key=lambda c: c.rows, default=choices[0])

    def recall(self, similarity: float) -> float:
        """The chance that a pair of this Jaccard similarity becomes a candidate."""
        return float(1 - (1 - similarity**self.rows) ** self.bands)


class Components:
    """Union-find over the numbers 0 … size - 1; a component is named after its smallest member."""

    def __init__(self, size: int) -> None:
        self._parent = np.arange(size)

    def join(self, left: int, right: int) -> None:
        """Put the components of `left` and `right` together."""
        low, high = sorted((self._root(left), self._root(right)))
        self._parent[high] = low

    def labels(self) -> NDArray[np.int64]:
        """[size]: the smallest member of each number's component."""
        while not np.array_equal(self._parent, above := self._parent[self._parent]):
            self._parent = above
        return self._parent.copy()

    def _root(self, number: int) -> int:
        while (parent := int(self._parent[number])) != number:
            self._parent[number] = self._parent[parent]
            number = parent
        return number


@dataclass(frozen=True)
class ShingleSets:
    """The distinct word n-grams of texts; texts with equal word sequences share one row."""

    rows: NDArray[np.int64]
    """[texts]: the row of each text."""
    sizes: NDArray[np.int64]
    """[rows]: distinct shingles of each row."""
    shingles: NDArray[np.uint64]
    """[distinct shingles of all texts]: their hashes, ascending."""
    members: NDArray[np.int64]
    """[shingles of all rows]: row × len(shingles) + rank of the shingle, ascending."""

    @classmethod
    def of(cls, texts: Sequence[str], shingle_words: int) -> ShingleSets:
        """Normalise, collapse and shingle `texts`."""
        streams = WordStreams.of(texts)
        first, rows = _collapse(streams)
        distinct = streams.take(first)
        hashes, owners = distinct.ngrams(shingle_words)
        short = np.flatnonzero((distinct.lengths > 0) & (distinct.lengths < shingle_words))
        hashes = np.concatenate([hashes, distinct.whole(short)])
        owners = np.concatenate([owners, short])
        shingles, ranks = np.unique(hashes, return_inverse=True)
        members = np.unique(owners * len(shingles) + ranks)
        sizes = np.bincount(members // max(1, len(shingles)), minlength=len(first))
        return cls(rows, sizes, shingles, members)

    def jaccard(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.float64]:
        """Exact similarity of rows left[i] and right[i], all i; 0 where a row is empty."""
        starts = np.concatenate([[0], np.cumsum(self.sizes)])
        swap = self.sizes[left] > self.sizes[right]
        small, large = np.where(swap, right, left), np.where(swap, left, right)
        common = np.zeros(len(left), dtype=np.int64)
        for chunk in _chunks(self.sizes[small]):
            lengths = self.sizes[small[chunk]]
            ranks = self.members[ranges(starts[small[chunk]], lengths)] % len(self.shingles)
            wanted = np.repeat(large[chunk], lengths) * len(self.shingles) + ranks
            found = self.members[np.searchsorted(self.members[:-1], wanted)] == wanted
            ends = np.cumsum(lengths)
            total = np.concatenate([[0], np.cumsum(found)])
            common[chunk] = total[ends] - total[ends - lengths]
        union = self.sizes[left] + self.sizes[right] - common
        similarity: NDArray[np.float64] = common / np.maximum(union, 1)
        return similarity


def near_duplicates(sets: ShingleSets, *, threshold: float, seed: int) -> Components:
    """Join every two texts whose similarity reaches `threshold`; the result is over texts, not rows."""
    banding = Banding.at(threshold)
    found = Components(len(sets.sizes))
    filled = np.flatnonzero(sets.sizes)
    keys = np.zeros((len(sets.sizes), banding.bands), dtype=np.uint64)
    keys[filled] = _band_keys(_signatures(sets, banding.bands * banding.rows, seed), banding)
    for band in range(banding.bands):
        for left, right in _bucket_pairs(keys[filled, band], filled, found):
            # A pair that shared an earlier bucket too was checked there.
            new = ~(keys[left, :band] == keys[right, :band]).any(axis=1)
            for one, other in _similar(sets, left[new], right[new], threshold):
                found.join(one, other)
    return _over_texts(sets, found)


def _collapse(streams: WordStreams) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give texts with equal words one row: the first text of each row, and the row of each text."""
    rows: dict[bytes | int, int] = {}
    first: list[int] = []
    row_of: list[int] = []
    for text, (start, end) in enumerate(zip(streams.starts[:-1], streams.starts[1:], strict=True)):
        key = streams.hashes[start:end].tobytes() or text
        if key not in rows:
            rows[key] = len(first)
            first.append(text)
        row_of.append(rows[key])
    return np.array(first, dtype=np.int64), np.array(row_of, dtype=np.int64)


def _signatures(sets: ShingleSets, permutations: int, seed: int) -> NDArray[np.uint64]:
    """[rows with shingles, permutations]: the smallest value of each random linear map over the row's shingles."""
    random = np.random.default_rng(seed)
    factors = random.integers(0, 2**63, permutations, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    offsets = random.integers(0, 2**64, permutations, dtype=np.uint64)
    values = sets.shingles[sets.members % max(1, len(sets.shingles))]
    sizes = sets.sizes[sets.sizes > 0]
    signatures = np.empty((len(sizes), permutations), dtype=np.uint64)
    if len(sizes) == 0:
        return signatures
    starts = np.cumsum(sizes) - sizes
    for permutation, (factor, offset) in enumerate(zip(factors, offsets, strict=True)):
        signatures[:, permutation] = np.minimum.reduceat(values * factor + offset, starts)
    return signatures


def _band_keys(signatures: NDArray[np.uint64], banding: Banding) -> NDArray[np.uint64]:
    """[rows with shingles, bands]: one hash of the slots of each band; equal slots, equal keys."""
    slots = signatures.reshape(-1, banding.bands, banding.rows)
    keys = np.zeros(slots.shape[:2], dtype=np.uint64)
    for slot in range(banding.rows):
        keys = keys * np.uint64(0xD1342543DE82EF95) + slots[:, :, slot]
    return keys


def _bucket_pairs(
    keys: NDArray[np.uint64], rows: NDArray[np.int64], found: Components
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Pairs of rows that have one key and are not in one component yet, smaller row first.

    Neighbours within a bucket come first, then those two apart, and so on; a bucket that has become
    one component is left. So m copies cost m checks, not m²; only m different texts in one bucket do
    cost m²/2, and none of these is skipped.
    """
    order = np.argsort(keys, kind="stable")
    members, buckets = rows[order], np.unique(keys[order], return_inverse=True)[1]
    distance = 1
    while len(members) > distance:
        labels = found.labels()[members]
        near = (buckets[:-distance] == buckets[distance:]) & (labels[:-distance] != labels[distance:])
        if near.any():
            yield members[:-distance][near], members[distance:][near]
        members, buckets = _unsettled(members, buckets, found, distance)
        distance += 1


def _unsettled(
    members: NDArray[np.int64], buckets: NDArray[np.int64], found: Components, distance: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """What remains without the buckets that have no pair further apart, or are one component."""
    starts = np.flatnonzero(np.diff(buckets, prepend=-1))
    sizes = np.diff(starts, append=len(buckets))
    labels = found.labels()[members]
    several = np.minimum.reduceat(labels, starts) < np.maximum.reduceat(labels, starts)
    keep = np.repeat(several & (sizes > distance + 1), sizes)
    return members[keep], buckets[keep]


def _similar(
    sets: ShingleSets, left: NDArray[np.int64], right: NDArray[np.int64], threshold: float
) -> Iterator[tuple[int, int]]:
    """The pairs whose exact similarity reaches `threshold`; J ≤ smaller size / larger size spares many checks."""
    sizes = np.sort(np.stack([sets.sizes[left], sets.sizes[right]]), axis=0)
    possible = sizes[0] >= threshold * sizes[1]
    left, right = left[possible], right[possible]
    similar = sets.jaccard(left, right) >= threshold
    yield from zip(left[similar].tolist(), right[similar].tolist(), strict=True)


def _over_texts(sets: ShingleSets, found: Components) -> Components:
    labels = found.labels()[sets.rows]
    components = Components(len(labels))
    first: dict[int, int] = {}
    for text, label in enumerate(labels.tolist()):
        components.join(first.setdefault(label, text), text)
    return components


def _chunks(lengths: NDArray[np.int64]) -> Iterator[slice]:
    """Cut a list into stretches whose lengths add up to about _CHUNK each."""
    stretches = np.cumsum(lengths) // _CHUNK
    edges = [0, *(np.flatnonzero(np.diff(stretches)) + 1).tolist(), len(lengths)]
    yield from (slice(start, end) for start, end in pairwise(edges) if end > start)
