"""Passages, runs of n words, that texts have in common.

    passages = Passages.of(WordStreams.of(training_texts), 13)
    passages.most_documents(WordStreams.of(["…"]))     # [7]: some passage of it stands in 7 training texts
    sharing(texts, items, 13)                          # [[0, 4], [2, 4]]: texts 0 and 2 share one with item 4

Why 13 words: shorter runs are shared by chance in English, longer ones miss edited copies
(Brown et al. 2020, Language Models are Few-Shot Learners, appendix C).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from acclimate.data.similarity.words import MULTIPLIER, ranges

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from acclimate.data.similarity.words import WordStreams


@dataclass(frozen=True)
class Passages:
    """Every distinct passage of some texts and the texts it stands in; what a passage is called by is its hash."""

    n: int
    hashes: NDArray[np.uint64]
    """[passages], ascending."""
    starts: NDArray[np.int64]
    """[passages + 1]: passage i stands in the texts owners[starts[i]:starts[i + 1]]."""
    owners: NDArray[np.int64]
    """[passages of each text]: indices of texts, ascending within a passage."""

    @classmethod
    def of(cls, streams: WordStreams, n: int) -> Passages:
        """All runs of `n` words of the texts in `streams`."""
        hashes, owners = distinct(streams, n)
        names, first = np.unique(hashes, return_index=True)
        return cls(n, names, np.append(first, len(hashes)), owners)

    @property
    def documents(self) -> NDArray[np.int64]:
        """[passages]: how many texts each stands in."""
        return np.diff(self.starts)

    def most_documents(self, streams: WordStreams) -> NDArray[np.int64]:
        """[texts of streams]: of all passages of a text, the largest number of documents one stands in."""
        owners, places = self.occurrences(streams)
        most = np.zeros(len(streams.lengths), dtype=np.int64)
        np.maximum.at(most, owners, self.documents[places])
        return most

    def occurrences(self, streams: WordStreams) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where texts hold a passage of these.

        Returns:
            The index of the text and that of the passage, both [occurrences], in text order.
        """
        from acclimate.data.kernels.passage_scan import scan

        found: tuple[NDArray[np.int64], NDArray[np.int64]] = scan(
            streams.hashes, streams.starts, self.n, MULTIPLIER, self.hashes, *self._index
        )
        return found

    @cached_property
    def _index(self) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
        from acclimate.data.kernels.passage_scan import index

        made: tuple[NDArray[np.uint64], NDArray[np.int32]] = index(self.hashes)
        return made

    def pairs(
        self, owners: NDArray[np.int64], places: NDArray[np.int64], most: int | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Occurrences as pairs of a text and a text of these passages, in ascending order.

        Args:
            owners: of the occurrences, as `occurrences` returns them …
            places: … both [occurrences].
            most: a passage that stands in more of these texts counts for the first so many of them: with an opening
                that all have in common there would be as many pairs as texts times texts. None: for all.

        Returns:
            [pairs, 2], each pair once; and how many passages the two share [pairs].
        """
        # One occurrence of a passage in a text is enough, and repeats would multiply in the join.
        once = distinct_rows(owners, places)[0]
        counts = self.documents[once[:, 1]]
        counts = counts if most is None else np.minimum(counts, most)
        theirs = self.owners[ranges(self.starts[:-1][once[:, 1]], counts)]
        return distinct_rows(np.repeat(once[:, 0], counts), theirs)

    def only(self, chosen: NDArray[np.bool_]) -> Passages:
        """Those passages for which `chosen` [passages] is set."""
        counts = self.documents[chosen]
        owners = self.owners[ranges(self.starts[:-1][chosen], counts)]
        return Passages(self.n, self.hashes[chosen], np.concatenate([[0], np.cumsum(counts)]), owners)


def sharing(left: WordStreams, right: WordStreams, n: int) -> NDArray[np.int64]:
    """Which texts share a passage of `n` words.

    Returns:
        [pairs, 2]: index into `left`, index into `right`; each pair once, in ascending order.
    """
    passages = Passages.of(right, n)
    return passages.pairs(*passages.occurrences(left))[0]


def distinct_rows(left: NDArray[np.int64], right: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """[pairs, 2]: the distinct pairs of two columns of indices in ascending order; and how often each stands there.

    Two indices below 2³² make one number, which sorts many times faster than a pair.
    """
    keys, counts = np.unique((left << 32) | right, return_counts=True)
    return np.stack([keys >> 32, keys & 0xFFFFFFFF], axis=1), counts


def distinct(streams: WordStreams, n: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Passages with their texts, sorted by passage and then text; a passage counts once in each text."""
    hashes, owners = streams.ngrams(n)
    # Stable, and ngrams come in text order: a text's repeats of one passage end up as neighbours.
    order = np.argsort(hashes, kind="stable")
    hashes, owners = hashes[order], owners[order]
    new = np.ones(len(hashes), dtype=bool)
    new[1:] = (hashes[1:] != hashes[:-1]) | (owners[1:] != owners[:-1])
    return hashes[new], owners[new]
