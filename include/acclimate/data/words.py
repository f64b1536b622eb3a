"""Texts as sequences of normalised words, and word n-grams as 64-bit hashes.

    >>> words("Don\u2019t  RE\u00adPEAT the A\u00a0b; na\u00efve")
    ['don', 't', 'repeat', 'the', 'a', 'b', 'naïve']

Every comparison of texts in the data plane (near-duplicates, boilerplate, contamination) goes through
here, so that all of them mean the same by "the same words": NFKC, case folded, format characters
removed, punctuation and white space only separating. A hash stands for a word or an n-gram; with
10⁷ different ones the chance that any two collide is 3·10⁻⁶ (birthday bound, 64 bits).
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ASCII_WORD = re.compile(r"\w+", re.ASCII)
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2⁶⁴ / golden ratio, odd: the polynomial's base

# Scripts written without spaces: every character is a word of its own, else a sentence would be one.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_UNSPACED += "\U00020000-\U0003ffff"


def words(text: str) -> list[str]:
    """The words of `text` in order, normalised so that case, punctuation and spacing do not matter."""
    if text.isascii():
        return _ASCII_WORD.findall(text.lower())
    pattern, format_characters = _unicode_rules()
    folded = unicodedata.normalize("NFKC", text).casefold()
    return pattern.findall(unicodedata.normalize("NFKC", folded).translate(format_characters))


@cache
def _unicode_rules() -> tuple[re.Pattern[str], dict[int, None]]:
    # `\w` leaves out combining marks, which stand inside words in Arabic, Hebrew and the Indic scripts.
    marks: list[str] = []
    format_characters: dict[int, None] = {}
    for point in range(sys.maxunicode + 1):
        category = unicodedata.category(chr(point))
        if category[0] == "M":
            marks.append(chr(point))
        elif category == "Cf":
            format_characters[point] = None
    inside = re.escape("".join(marks))
    return re.compile(rf"[{_UNSPACED}]|(?:(?![{_UNSPACED}])[\w{inside}])+"), format_characters


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

    A hash depends on the word alone, so equal texts have equal streams in every run.
    """

    hashes: NDArray[np.uint64]
    """[words of all texts]"""
    starts: NDArray[np.int64]
    """[texts + 1]: text i is hashes[starts[i]:starts[i + 1]]."""

    @classmethod
    def of(cls, texts: Iterable[str]) -> WordStreams:
        """Split `texts` into words and hash these."""
        known = _WordHashes()
        streams = []
        for text in texts:
            found = words(text)
            streams.append(np.fromiter(map(known.__getitem__, found), dtype=np.uint64, count=len(found)))
        starts = np.zeros(len(streams) + 1, dtype=np.int64)
        np.cumsum([len(stream) for stream in streams], out=starts[1:])
        return cls(np.concatenate([np.empty(0, dtype=np.uint64), *streams]), starts)

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
            runs *= _MULTIPLIER
            runs += self.hashes[positions + step]
        return runs


class _WordHashes(dict[str, int]):
    """Word to hash; each distinct word is hashed once."""

    def __missing__(self, word: str) -> int:
        value = self[word] = int.from_bytes(blake2b(word.encode(), digest_size=8).digest(), "little")
        return value


def ranges(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """The indices starts[0] … starts[0] + lengths[0] - 1, starts[1] …, one range after the other."""
    offsets = np.cumsum(lengths) - lengths
    indices: NDArray[np.int64] = np.repeat(starts - offsets, lengths) + np.arange(int(lengths.sum()))
    return indices
