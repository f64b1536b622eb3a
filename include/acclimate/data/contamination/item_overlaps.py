"""Which training texts hold evaluation items, by the words they share.

Four rules, the first three for dropping:

- an item of `drop_words` words or more: a text that shares so many words in a row with it;
- a shorter item of MIN_WORDS or more: a text in which it stands whole;
- every item, however short: a text, or a record's question, whose Jaccard similarity to it reaches
  `near_duplicate`, on word 5-grams, or on the whole word sequence of what is shorter than that;
- `flag_words` words in a row: counted.

Passages of validation documents that stand in `boilerplate_documents` training texts or more are nobody's
secret, the same as `split` says of test passages: to keep them out would cost all those texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from acclimate.data.similarity.passages import Passages, distinct
from acclimate.data.similarity.words import WordStreams, ranges

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from acclimate.core.params import DecontaminateParams

MIN_WORDS = 5
"""An item of fewer words would be found by chance everywhere inside other texts."""
SHINGLE_WORDS = 5
PASSAGE = "shares a passage with an item"
SHORT = "holds a short item"
COPY = "near-duplicate of an item"
REPHRASED = "rephrases an item"
RULES = (PASSAGE, SHORT, COPY, REPHRASED)
"""In the order in which the reason of a text is chosen."""


@dataclass(frozen=True)
class Finds:
    """Pairs of a training text and an item, each with the rule that found it."""

    texts: NDArray[np.int64]
    items: NDArray[np.int64]
    rules: NDArray[np.int64]
    """Index into RULES."""
    similarities: NDArray[np.float64]
    """Jaccard or cosine, 1 for shared words; all [finds]."""

    @classmethod
    def of(cls, rule: str, pairs: NDArray[np.int64], similarities: NDArray[np.float64] | None = None) -> Finds:
        """The finds of one rule from [finds, 2] texts and items."""
        given = np.ones(len(pairs)) if similarities is None else similarities
        return cls(pairs[:, 0], pairs[:, 1], np.full(len(pairs), RULES.index(rule)), given)

    @classmethod
    def together(cls, several: Iterable[Finds]) -> Finds:
        """All of them, ordered by text, then rule, then similarity (best first), then item."""
        none = cls.of(PASSAGE, np.empty((0, 2), dtype=np.int64))
        listed = [none, *several]
        texts, items, rules, similarities = (
            np.concatenate([getattr(finds, name) for finds in listed])
            for name in ("texts", "items", "rules", "similarities")
        )
        order = np.lexsort((items, -similarities, rules, texts))
        return cls(texts[order], items[order], rules[order], similarities[order])

    def of_rows(self, rows: NDArray[np.int64]) -> Finds:
        """The same with text i called rows[i]."""
        return replace(self, texts=rows[self.texts])

    def firsts(self) -> dict[int, tuple[int, int]]:
        """Text to the place of its first find and its number of items; for finds in the order of `together`."""
        texts, places = np.unique(self.texts, return_index=True)
        items = np.unique(np.stack([self.texts, self.items], axis=1), axis=0)
        counts = np.unique(items[:, 0], return_counts=True)[1]
        return dict(zip(texts.tolist(), zip(places.tolist(), counts.tolist(), strict=True), strict=True))

    def where(self, chosen: NDArray[np.bool_]) -> Finds:
        """Those for which `chosen` [finds] is set."""
        return Finds(self.texts[chosen], self.items[chosen], self.rules[chosen], self.similarities[chosen])


@dataclass(frozen=True)
class _Lookup:
    """Passages of some of the items."""

    rule: str
    passages: Passages
    items: NDArray[np.int64]
    """What the owners in `passages` are among all items."""

    def finds(self, texts: WordStreams) -> Finds:
        pairs = self.passages.pairs(*self.passages.occurrences(texts))
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

    def flagged(self, texts: WordStreams) -> NDArray[np.int64]:
        """The texts that share the shorter passages with evaluation items, ascending."""
        return np.unique(self.flagging.occurrences(texts)[0])

    def copies(self, texts: WordStreams) -> Finds:
        """Which texts are near-duplicates of which items, by exact Jaccard similarity."""
        longer, similarities = self._similar(texts)
        equal = _same_words(texts, self.streams)
        return Finds.together([Finds.of(COPY, longer, similarities), Finds.of(COPY, equal)])

    def _similar(self, texts: WordStreams) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Pairs whose shingles are alike enough, [pairs, 2], and how much.

        If J(A, B) ≥ t, then |A ∩ B| ≥ t |A|: only texts of which so much is known from the items need comparing.
        """
        owners, places = self.shingles.occurrences(texts)
        once = np.unique(np.stack([owners, places], axis=1), axis=0)
        known = np.bincount(once[:, 0], minlength=len(texts.lengths))
        sizes = np.zeros(len(texts.lengths), dtype=np.int64)
        met = np.flatnonzero(known)
        sizes[met] = _sizes(texts.take(met))
        # Less a rounding error: 0.55 × 100 is more than 55.
        once = once[(known >= self.near_duplicate * sizes - 1e-9)[once[:, 0]]]
        counts = self.shingles.documents[once[:, 1]]
        theirs = self.shingles.owners[ranges(self.shingles.starts[:-1][once[:, 1]], counts)]
        pairs, common = np.unique(np.stack([np.repeat(once[:, 0], counts), theirs], axis=1), axis=0, return_counts=True)
        union = sizes[pairs[:, 0]] + _sizes(self.streams)[pairs[:, 1]] - common
        similarities: NDArray[np.float64] = common / np.maximum(union, 1)
        enough = similarities >= self.near_duplicate
        return pairs[enough], similarities[enough]


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
    """[pairs, 2]: places in `left` and `right` with the same value."""
    order = np.argsort(right, kind="stable")
    starts = np.searchsorted(right[order], left, side="left")
    counts = np.searchsorted(right[order], left, side="right") - starts
    return np.stack([np.repeat(np.arange(len(left)), counts), order[ranges(starts, counts)]], axis=1)
