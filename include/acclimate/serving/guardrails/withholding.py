"""A stream without personal data: what may still become part of it is held back until it is known.

    withholding = Withholding(["card"])
    withholding.take("Pay with 4111 1111 ")        # "Pay "
    withholding.take("1111 1111 from now on, ")    # "with [CARD] from now "
    withholding.rest()                             # "on, "

Held back are the last word and the one before, as far back as numbers, short groups of capitals and veils of an address
("ann [at] hill [dot] org") reach, and a private key from its first line on. What is found where is decided by the
rules that see the whole text (data/cleaning/redaction.py); tests/serving/guardrails/test_withholding.py holds the
pieces of a stream to what these say of all of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

MOST_WITHHELD = 2048
"""Characters; a word that is longer is passed on with what is known of it."""
LONGEST_KEY = 16_100
"""Characters of a private key in its frame (data/cleaning/pii/key.py)."""
SEEN_BEFORE = 160
"""Characters of what was given out already, by which the rules tell a number from another."""

# From the first character that what is looked for can begin with, to white space or a script without spaces.
_WORD = re.compile(r"[!-~\d][^\s\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]*")
_OF_NUMBER = re.compile(r".*\d.*|[^A-Za-z]+|[A-Z]{1,4}[^A-Za-z]*", re.DOTALL)
_VEIL = re.compile(r".*[][(){}<>].*|at|AT|dot|DOT", re.DOTALL)
_KEY_BEGINS = re.compile(r"-----BEGIN (?:[A-Z ]*-{0,4}\Z|[A-Z ]*PRIVATE KEY(?: BLOCK)?-----)")
_KEY_ENDS = re.compile(r"-----END [A-Z ]*-----")


class Withholding:
    """Takes a text in pieces and gives it out in others, redacted."""

    def __init__(self, kinds: Sequence[str]) -> None:
        """Look for personal data of these kinds; for none, everything passes at once."""
        self._kinds = kinds
        self._text = ""
        self._given = 0

    def take(self, piece: str) -> str:
        """What can be given out, now that this has been written too; may be empty."""
        if not self._kinds:
            return piece
        self._text += piece
        return self._give(self._known())

    def rest(self) -> str:
        """What was held back, when no more comes."""
        if "key" in self._kinds:
            self._text = without_open_key(self._text, self._given)
        return self._give(len(self._text))

    def _known(self) -> int:
        """Up to where no character that is yet to come makes a difference."""
        text = self._text
        begin = max(self._given, len(text) - MOST_WITHHELD)
        words = list(_WORD.finditer(text, begin))
        held = len(text)
        if words:
            whole = words[-1].end() < len(text)
            first = max(0, len(words) - (1 if whole else 2))
            while first > 0 and (_is_open(words[first][0]) or _VEIL.fullmatch(words[first - 1][0])):
                first -= 1
            held = words[first].start()
        if "key" in self._kinds and (key := _open_key(text, self._given)) is not None:
            held = min(held, key)
        return held

    def _give(self, end: int) -> str:
        """The text up to `end`, or to what reaches over it, redacted."""
        from acclimate.data.cleaning.redaction import find

        if end <= self._given:
            return ""
        begin, said = self._seen_from(), []
        for span in find(self._text[begin:], self._kinds, {}):
            first, last = begin + span.start, begin + span.end
            if last <= self._given or first >= end:
                continue
            if last > end:
                end = max(first, self._given)
                break
            said += [self._text[self._given : max(first, self._given)], f"[{span.kind.upper()}]"]
            self._given = last
        said.append(self._text[self._given : end])
        self._given = max(self._given, end)
        return "".join(said)

    def _seen_from(self) -> int:
        """Where a word begins, some way before what is given out next."""
        begin = max(0, self._given - SEEN_BEFORE)
        if begin and (space := re.compile(r"\s").search(self._text, begin, self._given)):
            return space.end()
        return begin


def without_open_key(text: str, begin: int = 0) -> str:
    """The text without a private key that it ends in the middle of; nothing before `begin` is looked at."""
    key = _open_key(text, begin)
    return text if key is None else f"{text[:key]}[KEY]"


def _open_key(text: str, begin: int) -> int | None:
    """Where a private key begins that has no end yet."""
    place = text.find("-----BEGIN ", begin)
    while place >= 0:
        if _KEY_BEGINS.match(text, place):
            end = _KEY_ENDS.search(text, place)
            if end is None:
                return place if len(text) - place <= LONGEST_KEY else None
            place = end.end()
        place = text.find("-----BEGIN ", place + 1)
    return None


def _is_open(word: str) -> bool:
    """Whether a word may be the middle or the end of something that began before it."""
    return bool(_OF_NUMBER.fullmatch(word) or _VEIL.fullmatch(word))
