"""Which training texts overlap which items, and by which rule."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

PASSAGE = "shares a passage with an item"
SHORT = "holds a short item"
COPY = "near-duplicate of an item"
REPHRASED = "rephrases an item"
FLAGGED = "shares fewer words with an item"
RULES = (PASSAGE, SHORT, COPY, REPHRASED, FLAGGED)
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
class Flags:
    """Texts that share shorter passages with evaluation items, each with the item it shares most with."""

    finds: Finds
    shared: NDArray[np.int64]
    """Passages, how many a text and its item share; both [texts], by text."""

    @classmethod
    def together(cls, several: Sequence[Flags]) -> Flags:
        """All of them, given in the order of their texts."""
        shared = [np.empty(0, dtype=np.int64), *(flags.shared for flags in several)]
        return cls(Finds.together(flags.finds for flags in several), np.concatenate(shared))

    def of_rows(self, rows: NDArray[np.int64]) -> Flags:
        """The same with text i called rows[i]."""
        return replace(self, finds=self.finds.of_rows(rows))

    def of_texts_but(self, texts: NDArray[np.int64]) -> Flags:
        """The same without these."""
        others = ~np.isin(self.finds.texts, texts)
        return Flags(self.finds.where(others), self.shared[others])

    def most(self, number: int) -> Finds:
        """The `number` texts that share most."""
        chosen = np.zeros(len(self.shared), dtype=np.bool_)
        chosen[np.argsort(-self.shared, kind="stable")[:number]] = True
        return self.finds.where(chosen)
