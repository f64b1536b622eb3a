"""Whether training texts are free of evaluation items: asked of the words themselves.

    check = CleanCheck.of(items, drop_words)
    for first, block in blocks(path, ["text", "question"]): check.unclean(word_streams(block["text"]), …)

The files are read back before they are certified, at the speed of the search. It shares with the search in
item_overlaps.py what a word is and nothing else: runs of words are compared as such, and where to compare is
decided by another hash in another loop (kernels/run_check.py). So a fault in the search shows here, before
anything is trained on what it left in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from acclimate.data.contamination.item_overlaps import MIN_WORDS
from acclimate.data.similarity.words import WordStreams, ranges

if TYPE_CHECKING:
    from numpy.typing import NDArray

Words = tuple[int, ...]


@dataclass(frozen=True)
class CleanCheck:
    """The runs of words that no text may hold, and the items that no text or question may be."""

    words: NDArray[np.uint64]
    """Of all items, one after the other."""
    begins: NDArray[np.int64]
    """[runs]: where each run begins among these …"""
    lengths: NDArray[np.int64]
    """… and how long it is."""
    whole: frozenset[Words]
    """Items of fewer than MIN_WORDS words."""

    @classmethod
    def of(cls, items: Sequence[str], passage_words: int) -> CleanCheck:
        """Every run of `passage_words` words of an item may not stand in a text, nor may a shorter item whole.

        An item of fewer than MIN_WORDS words must be the whole text, or the whole question of a record.
        """
        streams = WordStreams.of(items)
        sizes = streams.lengths
        needed = np.minimum(sizes, passage_words)
        runs = np.where(sizes >= MIN_WORDS, sizes - needed + 1, 0)
        return cls(
            words=streams.hashes,
            begins=ranges(streams.starts[:-1], runs),
            lengths=np.repeat(needed, runs),
            whole=frozenset(sequence for _, sequence in _short(streams)),
        )

    def unclean(self, texts: WordStreams, questions: WordStreams) -> NDArray[np.int64]:
        """The records that hold an item, ascending, given their texts and their questions."""
        found = self._holding(texts) if len(self.begins) else np.zeros(len(texts.lengths), dtype=np.bool_)
        for streams in (texts, questions) if self.whole else ():
            found[[text for text, sequence in _short(streams) if sequence in self.whole]] = True
        return np.flatnonzero(found)

    def _holding(self, texts: WordStreams) -> NDArray[np.bool_]:
        from acclimate.data.kernels.run_check import holding

        held: NDArray[np.bool_] = holding(
            texts.hashes, texts.starts, self.words, self.begins, self.lengths, *self._index
        )
        return held

    @cached_property
    def _index(self) -> tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.int32]]:
        """The distinct lengths, and what index_runs makes."""
        from acclimate.data.kernels.run_check import index_runs

        of_length = np.unique(self.lengths)
        return of_length, *index_runs(self.words, self.begins, self.lengths, of_length[0])


def _short(streams: WordStreams) -> list[tuple[int, Words]]:
    """The texts of 1 to MIN_WORDS - 1 words, as these."""
    chosen = np.flatnonzero((streams.lengths > 0) & (streams.lengths < MIN_WORDS))
    starts, ends = streams.starts[:-1][chosen], streams.starts[1:][chosen]
    return [
        (text, tuple(streams.hashes[start:end].tolist()))
        for text, start, end in zip(chosen.tolist(), starts.tolist(), ends.tolist(), strict=True)
    ]
