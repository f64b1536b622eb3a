"""Texts as sequences of normalised words, and word n-grams as 64-bit hashes.

    >>> words("Don\u2019t  RE\u00adPEAT the _A\u00a0b_; \uff21\uff11 n_samples")
    ['don', 't', 'repeat', 'the', 'a', 'b', 'a1', 'n_samples']

Every comparison of texts in the data plane (near-duplicates, boilerplate, contamination) goes through
here, so that all of them mean the same by "the same words". Each code point is folded by itself: its
compatibility decomposition (NFKD), case folded, format characters removed; what is then neither letter,
digit, underscore nor combining mark separates words. An underscore holds a name together (`n_samples`),
but at either end of a word it is Markdown's emphasis or marks what is private, and is no part of it. So a
letter and its accent are two code points however they were written, "é" is not "e", and only the order of
several marks on one letter is kept as it was written, where NFKD would sort them. `words` says it in
Python, for one text; the compiled tokeniser in kernels/tokens.py does the same to whole corpora.

A hash stands for a word or an n-gram; with 10⁷ different ones the chance that any two collide is
3·10⁻⁶ (birthday bound, 64 bits).
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ASCII_WORD = re.compile(r"\w+", re.ASCII)
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2⁶⁴ / golden ratio, odd: the polynomial's base

UNSPACED = (
    *(range(0xE00, 0xF00), range(0x1000, 0x10A0), range(0x1780, 0x1800), range(0x3040, 0x3100), range(0x31F0, 0x3200)),
    *(range(0x3400, 0x4DC0), range(0x4E00, 0xA000), range(0xF900, 0xFB00), range(0x20000, 0x40000)),
)
"""Scripts written without spaces: every character is a word of its own, else a sentence would be one."""
_ALONE = "".join(f"{chr(block.start)}-{chr(block.stop - 1)}" for block in UNSPACED)
_STANDS_ALONE = re.compile(f"[{_ALONE}]")
_VARIATION_SELECTORS = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))


def words(text: str) -> list[str]:
    """The words of `text` in order, normalised so that case, punctuation and spacing do not matter."""
    folded, pattern = (text.lower(), _ASCII_WORD) if text.isascii() else (text.translate(_FOLDED), _word_pattern())
    found = pattern.findall(folded)
    return [word for each in found if (word := each.strip("_"))] if "_" in folded else found


def word_places(text: str) -> list[tuple[str, int, int]]:
    """`words` of `text`, each with where what it was made of stands: text[start:end].

    Two words made of one character (½) stand at the same place.
    """
    folded, origins, pattern = _folded(text)
    places = []
    for found in pattern.finditer(folded):
        word = found.group().strip("_")
        if word:
            start = found.start() + found.group().index(word)
            places.append((word, origins[start], origins[start + len(word) - 1] + 1))
    return places


def _folded(text: str) -> tuple[str, Sequence[int], re.Pattern[str]]:
    """The text as it is compared, where each character of that came from, and what finds words in it."""
    if text.isascii():
        return text.lower(), range(len(text)), _ASCII_WORD
    folded, origins = [], []
    for place, character in enumerate(text):
        of_character = _FOLDED[ord(character)]
        folded.append(of_character)
        origins += [place] * len(of_character)
    return "".join(folded), origins, _word_pattern()


def fold(character: str) -> str:
    """What a code point is compared as: nothing, one code point or several."""
    if unicodedata.category(character) == "Cf" or any(ord(character) in block for block in _VARIATION_SELECTORS):
        return ""
    folded = unicodedata.normalize("NFKD", character)
    if folded[0] == " ":
        # A spacing accent, "´" for one, is punctuation; its decomposition would leave an accent on nothing.
        return " "
    while folded != (again := unicodedata.normalize("NFKD", folded.casefold())):
        folded = again
    return folded


def inside_words(character: str) -> bool:
    """Whether a folded code point is part of words; combining marks are, unlike in regular expressions."""
    return character.isalnum() or character == "_" or unicodedata.category(character)[0] == "M"


def stands_alone(character: str) -> bool:
    """Whether a code point inside words is a word of its own, as in scripts written without spaces."""
    return _STANDS_ALONE.match(character) is not None


class _Folded(dict[int, str]):
    """Code point to what it is folded to, worked out when first met; for str.translate."""

    def __missing__(self, point: int) -> str:
        value = self[point] = fold(chr(point))
        return value


_FOLDED = _Folded()


@cache
def _word_pattern() -> re.Pattern[str]:
    marks = [chr(point) for point in range(sys.maxunicode + 1) if unicodedata.category(chr(point))[0] == "M"]
    inside = rf"[\w{re.escape(''.join(marks))}]"
    return re.compile(rf"(?={inside})[{_ALONE}]|(?:(?![{_ALONE}]){inside})+")


def opening(text: str, characters: int) -> str:
    """The first `characters` of `text` at most, ending where a word ends."""
    if len(text) <= characters:
        return text
    cut = text[:characters]
    if not text[characters].isspace():
        # A word longer than half the cut is no word; then the cut stands as it is.
        whole = re.sub(r"\S+\Z", "", cut)
        cut = whole if len(whole) > characters // 2 else cut
    return cut.rstrip()


@dataclass(frozen=True)
class WordStreams:
    """The words of many texts as hashes, text after text.

    A hash depends on the word and the seed alone, so equal texts have equal streams in every run.
    """

    hashes: NDArray[np.uint64]
    """[words of all texts]"""
    starts: NDArray[np.int64]
    """[texts + 1]: text i is hashes[starts[i]:starts[i + 1]]."""

    @classmethod
    def of(cls, texts: Iterable[str], seed: int = 0) -> WordStreams:
        """Split `texts` into words and hash these; `seed` makes the hashes hard to collide on purpose."""
        from acclimate.data.kernels.buffers import of_strings
        from acclimate.data.kernels.code_points import code_point_table
        from acclimate.data.kernels.tokens import hash_texts, salt

        return cls(*hash_texts(*of_strings(texts), *code_point_table(), salt(seed)))

    @property
    def lengths(self) -> NDArray[np.int64]:
        """[texts]: words in each text."""
        return np.diff(self.starts)

    def take(self, texts: Sequence[int] | NDArray[np.int64]) -> WordStreams:
        """The streams of the texts at these indices, in this order."""
        lengths = self.lengths[texts]
        starts = np.zeros(len(lengths) + 1, dtype=np.int64)
        np.cumsum(lengths, out=starts[1:])
        return WordStreams(self.hashes[ranges(self.starts[:-1][texts], lengths)], starts)

    def ngrams(self, n: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Every run of `n` words inside one text.

        Returns:
            The hash of each run and the index of its text, both [runs], in text order.
        """
        positions = max(0, len(self.hashes) - n + 1)
        owners = np.repeat(np.arange(len(self.lengths)), self.lengths)[:positions]
        inside = self.starts[1:][owners] - np.arange(positions) >= n
        return self._runs(np.flatnonzero(inside), n), owners[inside]

    def whole(self, texts: NDArray[np.int64]) -> NDArray[np.uint64]:
        """One hash for the whole word sequence of each of these texts; equals `ngrams(n)` of a text of n words."""
        lengths = self.lengths[texts]
        hashes = np.zeros(len(texts), dtype=np.uint64)
        for length in np.unique(lengths):
            chosen = lengths == length
            hashes[chosen] = self._runs(self.starts[:-1][texts[chosen]], int(length))
        return hashes

    def _runs(self, positions: NDArray[np.int64], n: int) -> NDArray[np.uint64]:
        """Polynomial hash modulo 2⁶⁴ of the n words from each position on."""
        runs = np.zeros(len(positions), dtype=np.uint64)
        for step in range(n):
            runs *= MULTIPLIER
            runs += self.hashes[positions + step]
        return runs


def ranges(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """The indices starts[0] … starts[0] + lengths[0] - 1, starts[1] …, one range after the other."""
    offsets = np.cumsum(lengths) - lengths
    indices: NDArray[np.int64] = np.repeat(starts - offsets, lengths) + np.arange(int(lengths.sum()))
    return indices
