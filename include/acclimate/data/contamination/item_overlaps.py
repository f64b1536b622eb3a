"""Which training texts hold evaluation items, by the words they share.

Four rules, the first three for dropping:

- an item of `drop_words` words or more: a text that shares so many words in a row with it;
- a shorter item of MIN_WORDS or more: a text in which it stands whole;
- every item, however short: a text, or a record's question, whose Jaccard similarity to it reaches
  `near_duplicate`, on word 5-grams, or on the whole word sequence of what is shorter than that;
- `flag_words` words in a row: flagged.

What stands in many items, an opening that all of a benchmark's have in common for one, counts for MOST_ITEMS of
them: no text that holds it is passed over, nor an item of which a text holds a passage of its own.

Passages of validation documents that stand in `boilerplate_documents` training texts or more are nobody's
secret, the same as `split` says of test passages: to keep them out would cost all those texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from acclimate.data.contamination.finds import COPY, FLAGGED, PASSAGE, SHORT, Finds, Flags
from acclimate.data.similarity.passages import Passages, distinct, distinct_rows
from acclimate.data.similarity.words import WordStreams, ranges

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from acclimate.core.params import DecontaminateParams

MIN_WORDS = 5
"""An item of fewer words would be found by chance everywhere inside other texts."""
SHINGLE_WORDS = 5
MOST_ITEMS = 16
"""Items, the first ones, that a text is paired with for one passage, or for its likeness to them."""


@dataclass(frozen=True)
class _Lookup:
    """Passages of some of the items."""

    rule: str
    passages: Passages
    items: NDArray[np.int64]
    """What the owners in `passages` are among all items."""

    def finds(self, texts: WordStreams) -> Finds:
        pairs, _ = self.passages.pairs(*self.passages.occurrences(texts), MOST_ITEMS)
        pairs[:, 1] = self.items[pairs[:, 1]]
        return Finds.of(self.rule, pairs)


@dataclass(frozen=True)
class ItemIndex:
    """What to look for: the passages of evaluation items and of validation documents, and the items themselves."""

    evaluation: tuple[_Lookup, ...]
    validation: tuple[_Lookup, ...]
    flagging: Passages
    texts: tuple[str, ...]
    """Of all items, validation documents last."""
    evaluation_items: int
    """How many of these are no validation documents."""
    streams: WordStreams
    """Of these."""
    shingles: Passages
    near_duplicate: float

    @classmethod
    def of(cls, texts: Sequence[str], evaluation_items: int, params: DecontaminateParams) -> ItemIndex:
        """Index `texts`, of which the first `evaluation_items` are evaluation items and the rest validation."""
        streams = WordStreams.of(texts)
        ours = np.arange(len(texts)) < evaluation_items
        return cls(
            evaluation=_lookups(streams, ours, params.drop_words),
            validation=_lookups(streams, ~ours, params.drop_words),
            flagging=Passages.of(streams.take(np.flatnonzero(ours)), params.flag_words),
            texts=tuple(texts),
            evaluation_items=evaluation_items,
            streams=streams,
            shingles=Passages.of(streams, SHINGLE_WORDS),
            near_duplicate=params.near_duplicate,
        )

    def without_boilerplate(self, blocks: Iterable[WordStreams], documents: int) -> ItemIndex:
        """Forget the validation passages that stand in `documents` or more of the texts in `blocks`."""
        counts = [np.zeros(len(lookup.passages.hashes), dtype=np.int64) for lookup in self.validation]
        for streams in blocks if self.validation else ():
            for lookup, count in zip(self.validation, counts, strict=True):
                once = np.unique(np.stack(lookup.passages.occurrences(streams), axis=1), axis=0)
                np.add.at(count, once[:, 1], 1)
        rare = (
            replace(lookup, passages=lookup.passages.only(count < documents))
            for lookup, count in zip(self.validation, counts, strict=True)
        )
        return replace(self, validation=tuple(rare))

    def finds(self, texts: WordStreams) -> Finds:
        """Every text of `texts` that holds passages or short items."""
        return Finds.together(lookup.finds(texts) for lookup in (*self.evaluation, *self.validation))

    def holds_validation(self, texts: WordStreams) -> bool:
        """Whether any text holds a passage of a validation document that is no boilerplate."""
        return any(len(lookup.finds(texts).texts) for lookup in self.validation)

    def flags(self, texts: WordStreams) -> Flags:
        """The texts that share the shorter passages with evaluation items."""
        pairs, shared = self.flagging.pairs(*self.flagging.occurrences(texts), MOST_ITEMS)
        order = np.lexsort((pairs[:, 1], -shared, pairs[:, 0]))
        first = order[np.flatnonzero(np.diff(pairs[order, 0], prepend=-1))]
        return Flags(Finds.of(FLAGGED, pairs[first]), shared[first])

    def copies(self, texts: WordStreams) -> Finds:
        """Which texts are near-duplicates of which items, by exact Jaccard similarity."""
        longer, similarities = self._similar(texts)
        equal = _same_words(texts, self.streams)
        return Finds.together([Finds.of(COPY, longer, similarities), Finds.of(COPY, equal)])

    def _similar(self, texts: WordStreams) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Pairs whose shingles are alike enough, [pairs, 2], and how much; of a text with MOST_ITEMS at most.

        If J(A, B) ≥ t, then |A ∩ B| ≥ t |A|: only texts of which so much is known from the items need comparing.
        """
        once = distinct_rows(*self.shingles.occurrences(texts))[0]
        known = np.bincount(once[:, 0], minlength=len(texts.lengths))
        met = np.flatnonzero(known)
        sizes = np.zeros(len(texts.lengths), dtype=np.int64)
        sizes[met] = _sizes(texts.take(met))
        # Less a rounding error: 0.55 × 100 is more than 55.
        once = once[(known >= self.near_duplicate * sizes - 1e-9)[once[:, 0]]]
        starts = np.flatnonzero(np.diff(once[:, 0], prepend=-1))
        pairs = [np.empty((0, 2), dtype=np.int64)]
        similarities: list[NDArray[np.float64]] = [np.empty(0)]
        for places in np.split(once, starts[1:]) if len(once) else ():
            text = places[0, 0]
            items, alike = self._nearest(places[:, 1], int(sizes[text]))
            pairs.append(np.stack([np.full(len(items), text), items], axis=1))
            similarities.append(alike)
        return np.concatenate(pairs), np.concatenate(similarities)

    def _nearest(self, shingles: NDArray[np.int64], size: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The items most like a text that has `size` shingles, these among them; and how much."""
        counts = self.shingles.documents[shingles]
        # A count per item, not a list of pairs: an opening that all items share would make that as long as they are.
        common = np.bincount(self.shingles.owners[ranges(self.shingles.starts[:-1][shingles], counts)])
        items = np.flatnonzero(common)
        alike = common[items] / (size + self._item_sizes[items] - common[items])
        enough = np.flatnonzero(alike >= self.near_duplicate)
        best = np.sort(enough[np.argsort(-alike[enough], kind="stable")[:MOST_ITEMS]])
        return items[best], alike[best]

    @cached_property
    def _item_sizes(self) -> NDArray[np.int64]:
        return _sizes(self.streams)


def _sizes(streams: WordStreams) -> NDArray[np.int64]:
    """[texts]: distinct shingles of each."""
    return np.bincount(distinct(streams, SHINGLE_WORDS)[1], minlength=len(streams.lengths))


def _same_words(left: WordStreams, right: WordStreams) -> NDArray[np.int64]:
    """[pairs, 2]: texts too short for a shingle that have the same words."""
    ours, theirs = (np.flatnonzero((side.lengths > 0) & (side.lengths < SHINGLE_WORDS)) for side in (left, right))
    pairs = _equal(left.whole(ours), right.whole(theirs))
    return np.stack([ours[pairs[:, 0]], theirs[pairs[:, 1]]], axis=1)


def _lookups(streams: WordStreams, chosen: NDArray[np.bool_], passage_words: int) -> tuple[_Lookup, ...]:
    """One for each number of words in a row that some item needs."""
    needed = np.minimum(streams.lengths, passage_words)
    lookups = []
    for words in np.unique(needed[chosen & (streams.lengths >= MIN_WORDS)]).tolist():
        items = np.flatnonzero(chosen & (needed == words))
        rule = PASSAGE if words == passage_words else SHORT
        lookups.append(_Lookup(rule, Passages.of(streams.take(items), words), items))
    return tuple(lookups)


def _equal(left: NDArray[np.uint64], right: NDArray[np.uint64]) -> NDArray[np.int64]:
    """[pairs, 2]: places in `left` and `right` with the same value; of one with MOST_ITEMS others at most."""
    order = np.argsort(right, kind="stable")
    starts = np.searchsorted(right[order], left, side="left")
    counts = np.minimum(np.searchsorted(right[order], left, side="right") - starts, MOST_ITEMS)
    return np.stack([np.repeat(np.arange(len(left)), counts), order[ranges(starts, counts)]], axis=1)
