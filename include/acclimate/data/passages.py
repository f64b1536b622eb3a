"""Passages, runs of n words, that texts have in common.

    passages = Passages.of(WordStreams.of(training_texts), 13)
    passages.most_documents(WordStreams.of(["…"]))     # [7]: some passage of it stands in 7 training texts
    sharing(texts, items, 13)                          # [[0, 4], [2, 4]]: texts 0 and 2 share one with item 4

Why 13 words: shorter runs are shared by chance in English, longer ones miss edited copies
(Brown et al. 2020, Language Models are Few-Shot Learners, appendix C).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from acclimate.data.words import ranges

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from acclimate.data.words import WordStreams


@dataclass(frozen=True)
class Passages:
    """Every distinct passage of some texts; what a passage is called by is its hash."""

    n: int
    hashes: NDArray[np.uint64]
    """[passages], ascending."""
    documents: NDArray[np.int64]
    """[passages]: how many texts each stands in."""

    @classmethod
    def of(cls, streams: WordStreams, n: int) -> Passages:
        """All runs of `n` words of the texts in `streams`."""
        hashes, _ = _distinct(streams, n)
        return cls(n, *np.unique(hashes, return_counts=True))

    def most_documents(self, streams: WordStreams) -> NDArray[np.int64]:
        """[texts of streams]: of all passages of a text, the largest number of documents one stands in."""
        hashes, owners = streams.ngrams(self.n)
        most = np.zeros(len(streams.lengths), dtype=np.int64)
        if len(self.hashes) == 0:
            return most
        places = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        found = self.hashes[places] == hashes
        np.maximum.at(most, owners[found], self.documents[places[found]])
        return most


def sharing(left: WordStreams, right: WordStreams, n: int) -> NDArray[np.int64]:
    """Which texts share a passage of `n` words.

    Returns:
        [pairs, 2]: index into `left`, index into `right`; each pair once, in ascending order.
    """
    wanted, wanted_by = _distinct(right, n)
    hashes, owners = left.ngrams(n)
    # Most passages are in no text of the other side: find these before the join.
    known = np.isin(hashes, wanted)
    hashes, owners = hashes[known], owners[known]
    starts = np.searchsorted(wanted, hashes, side="left")
    counts = np.searchsorted(wanted, hashes, side="right") - starts
    pairs = np.stack([np.repeat(owners, counts), wanted_by[ranges(starts, counts)]], axis=1)
    return np.unique(pairs, axis=0)


def _distinct(streams: WordStreams, n: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Passages with their texts, sorted by passage and then text; a passage counts once in each text."""
    hashes, owners = streams.ngrams(n)
    # Stable, and ngrams come in text order: a text's repeats of one passage end up as neighbours.
    order = np.argsort(hashes, kind="stable")
    hashes, owners = hashes[order], owners[order]
    new = np.ones(len(hashes), dtype=bool)
    new[1:] = (hashes[1:] != hashes[:-1]) | (owners[1:] != owners[:-1])
    return hashes[new], owners[new]
