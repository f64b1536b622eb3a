"""Training texts that say what an evaluation item says in other words.

Items are cut into sentences, texts into sentences and pairs of neighbours, so that a sentence counts as much in
a long text as by itself. How much of an item a text says is the mean, over the words of the item, of the
cosine between each of its sentences and the piece of the text most like it: one shared sentence of many is not
enough. Texts go through in blocks, and of a block's cosines a slice is held at once (kernels/closest.py).

Of each item the most similar texts at `similarity` or above are candidates; a judge may dismiss these. The
default threshold is from bench/decontaminate.py, on its labelled set of 60 rephrasings and 30 texts that are
only on the same topic: at 0.6 TF-IDF finds 77 % of the first, and 98 % of what it finds are of these. Where a
corpus uses the words of a rephrasing more rarely or more often than the one of the benchmark, that moves a little.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from acclimate.core.progress import progress
from acclimate.data.similarity.words import words

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from acclimate.data.contamination.embedders import Embed

MIN_SENTENCE_WORDS = 5
"""A shorter sentence goes with the next one."""
MAX_SENTENCE_WORDS = 80
"""A longer one is cut: it is a table or a listing, and no encoder reads it whole."""
SAMPLE_CHARACTERS = 4_000_000
BLOCK_SENTENCES = 4096
"""Embedded at once."""
SLICE_BYTES = 1 << 21
"""Of cosines, held at once: about what the second-level cache holds."""
FLOOR = 0.3
"""A cosine below it counts as 0: by chance two sentences of one domain reach 0.2."""

_SENTENCE_END = re.compile(r"(?<=[.!?:;])\s+|\n\s*\n|\n(?=\s*[-*•>]|Answer:)")


@dataclass(frozen=True)
class Rephrasing:
    """A text that may say what an item says."""

    text: int
    item: int
    similarity: float
    piece: str
    """Of the text, what is most like a sentence of the item."""


def sentences(text: str) -> list[str]:
    """The sentences of a text, of MIN_SENTENCE_WORDS to MAX_SENTENCE_WORDS words but for the last."""
    found: list[str] = []
    waiting: list[str] = []
    for sentence in _SENTENCE_END.split(text):
        waiting += sentence.split()
        while len(waiting) >= MIN_SENTENCE_WORDS:
            found.append(" ".join(waiting[:MAX_SENTENCE_WORDS]))
            waiting = waiting[MAX_SENTENCE_WORDS:]
    return [*found, " ".join(waiting)] if waiting else found


def sample_sentences(texts: Iterable[str]) -> list[str]:
    """The first sentences of some texts, SAMPLE_CHARACTERS in all: how rare a word is shows in these already."""
    sample: list[str] = []
    characters = 0
    for text in texts:
        found = sentences(text)
        sample += found
        characters += sum(map(len, found))
        if characters > SAMPLE_CHARACTERS:
            break
    return sample


def find_rephrasings(
    texts: Iterable[tuple[int, str]], items: Sequence[str], embed: Embed, *, similarity: float, neighbours: int
) -> list[Rephrasing]:
    """For each item its `neighbours` most similar texts at `similarity` or above.

    Args:
        texts: number and text; the numbers come back in the result.
        items: what is looked for.
        embed: see embedders.py.
        similarity: from which a text is a candidate (0–1).
        neighbours: how many texts an item may have; ties go to the earlier text.

    Returns:
        Ordered by text, then item.
    """
    if not any(map(words, items)):
        return []
    wanted = _Wanted.of(items, embed)
    looked_at = progress(_blocks(texts), "looking for rephrasings", unit="block")
    found = [candidate for block in looked_at for candidate in _candidates(block, wanted, embed, similarity)]
    found.sort(key=lambda candidate: (candidate.item, -candidate.similarity, candidate.text))
    nearest = [
        candidate
        for _, of_item in groupby(found, key=lambda candidate: candidate.item)
        for candidate in list(of_item)[:neighbours]
    ]
    return sorted(nearest, key=lambda candidate: (candidate.text, candidate.item))


@dataclass(frozen=True)
class _Wanted:
    """The sentences of all items."""

    vectors: Any
    """[sentences, features]"""
    by_feature: Any
    """The same, transposed and compressed by feature; None of dense vectors."""
    items: NDArray[np.int64]
    """[sentences]: whose each is."""
    weights: NDArray[np.float64]
    """[sentences]: its share of the words of its item."""

    @classmethod
    def of(cls, items: Sequence[str], embed: Embed) -> _Wanted:
        parts = [(item, sentence) for item, text in enumerate(items) for sentence in sentences(text)]
        owners = np.array([item for item, _ in parts], dtype=np.int64)
        lengths = np.array([len(sentence.split()) for _, sentence in parts], dtype=np.float64)
        totals = np.bincount(owners, weights=lengths, minlength=len(items))
        vectors = embed([sentence for _, sentence in parts])
        by_feature = None if isinstance(vectors, np.ndarray) else vectors.T.tocsr()
        return cls(vectors, by_feature, owners, lengths / totals[owners])

    def cosines(self, vectors: Any, first: int, last: int) -> NDArray[np.float32]:
        """[last - first, sentences]: of these rows of `vectors` with every wanted sentence."""
        from acclimate.data.kernels.closest import multiply

        if self.by_feature is None:
            products: NDArray[np.float32] = vectors[first:last] @ self.vectors.T
            return products
        out = np.empty((last - first, len(self.items)), dtype=np.float32)
        ours, theirs = vectors, self.by_feature
        multiply(ours.indptr, ours.indices, ours.data, first, theirs.indptr, theirs.indices, theirs.data, out)
        return out


@dataclass(frozen=True)
class _Block:
    """Sentences of whole texts, one after the other."""

    texts: NDArray[np.int64]
    """[sentences]: number of the text each is from, ascending."""
    sentences: list[str]

    def piece(self, place: int) -> str:
        """Places up to len(sentences) are single sentences, those beyond it the pairs that begin with them."""
        if place < len(self.sentences):
            return self.sentences[place]
        first = place - len(self.sentences)
        return f"{self.sentences[first]} {self.sentences[first + 1]}"


def _blocks(texts: Iterable[tuple[int, str]]) -> Iterator[_Block]:
    numbers: list[int] = []
    cut: list[str] = []
    for number, text in texts:
        found = sentences(text)
        numbers += [number] * len(found)
        cut += found
        if len(cut) >= BLOCK_SENTENCES:
            yield _Block(np.array(numbers), cut)
            numbers, cut = [], []
    if cut:
        yield _Block(np.array(numbers), cut)


def _candidates(block: _Block, wanted: _Wanted, embed: Embed, similarity: float) -> Iterator[Rephrasing]:
    from acclimate.data.kernels.closest import follow

    vectors = embed(block.sentences)
    lengths = _lengths(vectors, block.texts)
    size = len(wanted.items)
    best, before = np.zeros((2, size), dtype=np.float32)
    pieces = np.zeros(size, dtype=np.int32)
    limits = (wanted.items, wanted.weights, np.float32(FLOOR), similarity)
    step = max(1, SLICE_BYTES // (4 * max(1, size)))
    for first in range(0, len(block.texts), step):
        cosines = wanted.cosines(vectors, first, min(first + step, len(block.texts)))
        found = follow(cosines, first, block.texts, lengths, *limits, best, pieces, before)
        for text, item, piece, score in zip(*(column.tolist() for column in found), strict=True):
            yield Rephrasing(text, item, round(score, 4), block.piece(piece))


def _lengths(vectors: Any, texts: NDArray[np.int64]) -> NDArray[np.float32]:
    """[sentences]: how long the sum of each vector and the one before is; 0 for the first of a text.

    The rows have length 1 (0 without words, when neither half of a pair is like anything).
    """
    lengths = np.zeros(len(texts), dtype=np.float32)
    second = np.flatnonzero(texts[1:] == texts[:-1]) + 1
    left, right = vectors[second - 1], vectors[second]
    products = left.multiply(right).sum(axis=1) if hasattr(left, "multiply") else (left * right).sum(axis=1)
    lengths[second] = np.sqrt(np.maximum(2 + 2 * np.asarray(products).ravel(), 1e-6))
    return lengths
