"""What the tokeniser does at each code point, as a table: `words.fold` worked out once for all of Unicode.

    points, expansions = code_point_table()
    points[ord("É")]             # EXPANDS | i: expansions[i] = 2, then ord("e"), then U+0301
    points[ord("深")]            # SINGLE | ord("深"): a word by itself
    points[ord(",")]             # SEPARATOR

The table is made from the running Python's own `unicodedata` when it is first needed (a tenth of a
second), so it cannot be of another Unicode version than the reference it has to equal.
"""

from __future__ import annotations

import unicodedata
from functools import cache, partial
from typing import TYPE_CHECKING

import numpy as np

from acclimate.data.similarity.words import UNSPACED, fold, inside_words, stands_alone

if TYPE_CHECKING:
    from numpy.typing import NDArray

SEPARATOR = 0
"""Other entries: a folded code point that continues a word, or one of these flags with a number below it."""
SINGLE = 1 << 24
SKIPPED = 1 << 25
EXPANDS = 1 << 26
SIZE = 0x110000
_ASSIGNED = (range(0xD800), range(0xE000, 0x40000), range(0xE0000, 0xE1000))
"""Everything outside is a surrogate, unassigned or for private use: a separator."""
_SPECIAL = frozenset({"Cf", "Mn", "Mc", "Me"})
"""Categories that fold() and inside_words() decide about, besides what decomposition or case folding changes."""


@cache
def code_point_table() -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """The entry of each code point, and the entries that those with EXPANDS stand for, each after their number."""
    points = np.zeros(SIZE, dtype=np.uint32)
    expansions: list[int] = []
    for block in _ASSIGNED:
        characters = list(map(chr, block))
        numbers = np.arange(block.start, block.stop, dtype=np.uint32)
        # fold() leaves most characters alone; asking it about each of them would take a second.
        decomposed = map(partial(unicodedata.normalize, "NFKD"), characters)
        changed = _flags(map(str.__ne__, characters, map(str.casefold, decomposed)))
        special = changed | _flags(map(_SPECIAL.__contains__, map(unicodedata.category, characters)))
        in_words = _flags(map(str.isalnum, characters))
        points[block.start : block.stop] = np.where(in_words, numbers, SEPARATOR)
        for place in np.flatnonzero(special).tolist():
            points[block.start + place] = _entry(fold(characters[place]), expansions)
    for block in UNSPACED:
        alone = points[block.start : block.stop]
        alone[(alone > SEPARATOR) & (alone < SINGLE)] |= SINGLE
    points[ord("_")] = ord("_")
    return points, np.array(expansions, dtype=np.uint32)


def _flags(of_characters: map[bool]) -> NDArray[np.bool_]:
    return np.fromiter(of_characters, dtype=np.bool_)


def _entry(folded: str, expansions: list[int]) -> int:
    if len(folded) == 0:
        return SKIPPED
    if len(folded) == 1:
        if not inside_words(folded):
            return SEPARATOR
        return ord(folded) | (SINGLE if stands_alone(folded) else 0)
    place = len(expansions)
    expansions += [len(folded), *(_entry(character, []) for character in folded)]
    return EXPANDS | place
