"""The same text as somebody else would have typed it: with typos, without capitals, with odd spacing.

    typos("Return the sorted indices.", random.Random(1))     # "Return the sorted indcies."

A reader still understands it, so a model's answer should not change. Typos swap two neighbouring letters inside a
word, the commonest slip of the keyboard and the "swap" noise of Belinkov & Bisk 2018, section 4.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

SHARE = 0.1
"""Of the words, or of the gaps between them, that are changed; at least one."""

_WORD = re.compile(r"[^\W\d_]{4,}")
_GAP = re.compile(r"(?<=\S) (?=\S)")


def typos(text: str, chance: random.Random) -> str:
    """Two neighbouring inner letters swapped in every tenth word of four letters or more."""
    letters = list(text)
    for word in _some(list(_WORD.finditer(text)), chance):
        # Two equal letters swapped are no typo.
        places = [n for n in range(word.start() + 1, word.end() - 2) if letters[n] != letters[n + 1]]
        if places:
            place = chance.choice(places)
            letters[place], letters[place + 1] = letters[place + 1], letters[place]
    return "".join(letters)


def lower_case(text: str, _: random.Random) -> str:
    """All in lower case."""
    return text.lower()


def spacing(text: str, chance: random.Random) -> str:
    """Every tenth single space doubled, none at the end, which belongs to what comes next."""
    doubled = {gap.start() for gap in _some(list(_GAP.finditer(text)), chance)}
    return "".join(f"{letter} " if place in doubled else letter for place, letter in enumerate(text))


def _some(found: list[re.Match[str]], chance: random.Random) -> list[re.Match[str]]:
    return chance.sample(found, min(len(found), max(1, round(SHARE * len(found)))))


CHANGES: dict[str, Callable[[str, random.Random], str]] = {
    "typos": typos,
    "lower_case": lower_case,
    "spacing": spacing,
}
"""By the name they are reported under; all keep the meaning."""
