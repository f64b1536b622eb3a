"""Training texts that say what an evaluation item says in other words.

Items are cut into sentences, texts into sentences and pairs of neighbours, so that a sentence counts as much in
a long text as by itself. How much of an item a text says is the mean, over the words of the item, of the
cosine between each of its sentences and the piece of the text most like it: one shared sentence of many is not
enough. Texts go through in blocks; what is held at once is one block of pieces against one of items.

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

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from acclimate.data.contamination.embedders import Embed

MIN_SENTENCE_WORDS = 5
"""A shorter sentence goes with the next one."""
MAX_SENTENCE_WORDS = 80
"""A longer one is cut: it is a table or a listing, and no encoder reads it whole."""
SAMPLE_CHARACTERS = 4_000_000
BLOCK_SENTENCES = 4096
"""Of texts …"""
BLOCK_WANTED = 1024
"""… and of items, compared at once: 16 MB of cosines."""
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
        return cls(embed([sentence for _, sentence in parts]), owners, lengths / totals[owners])


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
    pieces, columns, cosines = _close(embed(block.sentences), block.texts, wanted.vectors)
    texts = block.texts[pieces % len(block.sentences)]
    # Of the pieces of a text the one most like each sentence: the first of its run in this order.
    order = np.lexsort((pieces, -cosines, columns, texts))
    order = order[_starts(texts[order], columns[order])]
    pieces, columns, cosines, texts = pieces[order], columns[order], cosines[order], texts[order]
    # Sentences of an item are neighbours among all sentences, so they are neighbours here.
    runs = np.flatnonzero(_starts(texts, wanted.items[columns]))
    scores = np.add.reduceat(cosines * wanted.weights[columns], runs) if len(runs) else np.empty(0)
    for start, end, score in zip(runs, [*runs[1:], len(pieces)], scores, strict=True):
        if score >= similarity:
            best = start + int(np.argmax(cosines[start:end]))
            item = int(wanted.items[columns[best]])
            yield Rephrasing(int(texts[best]), item, round(float(score), 4), block.piece(int(pieces[best])))


def _starts(*keys: NDArray[np.int64]) -> NDArray[np.bool_]:
    """[n]: where a run of equal keys begins."""
    begins = np.ones(len(keys[0]), dtype=bool)
    begins[1:] = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    return begins


def _close(
    vectors: Any, texts: NDArray[np.int64], wanted: Any
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Piece, wanted sentence and cosine wherever that reaches FLOOR.

    The vector of a pair of neighbours in one text is the sum of theirs: with rows of length 1 its cosine follows
    from those of its halves, and nothing is embedded twice.
    """
    neighbours = np.flatnonzero(texts[1:] == texts[:-1])
    lengths = np.sqrt(np.maximum(2 + 2 * _row_products(vectors[neighbours], vectors[neighbours + 1]), 1e-6))
    found: list[tuple[Any, ...]] = []
    for start in range(0, wanted.shape[0], BLOCK_WANTED):
        single = _dense(vectors @ wanted[start : start + BLOCK_WANTED].T)
        double = (single[neighbours] + single[neighbours + 1]) / lengths[:, None]
        for products, places in ((single, np.arange(len(texts))), (double, neighbours + len(texts))):
            rows, columns = np.nonzero(products >= FLOOR)
            found.append((places[rows], columns + start, products[rows, columns]))
    pieces, columns, cosines = (np.concatenate(part) for part in zip(*found, strict=True))
    return pieces, columns, cosines.astype(np.float64)


def _row_products(left: Any, right: Any) -> NDArray[np.float64]:
    """[rows]: the dot product of each row of `left` with the same one of `right`."""
    products = left.multiply(right).sum(axis=1) if hasattr(left, "multiply") else (left * right).sum(axis=1)
    rows: NDArray[np.float64] = np.asarray(products).ravel()
    return rows


def _dense(matrix: Any) -> NDArray[np.float64]:
    dense: NDArray[np.float64] = matrix if isinstance(matrix, np.ndarray) else matrix.toarray()
    return dense
