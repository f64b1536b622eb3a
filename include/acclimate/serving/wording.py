"""Tokens as text, piece by piece: only what no later token can change is given out.

A character can be made of several tokens, and a stop string can begin in one token and end in another; what may
still become part of either is held back.
"""

from __future__ import annotations

from collections.abc import Callable

UNFINISHED = "�"
"""What the first bytes of a character decode to."""


class Wording:
    """The text of a completion so far; ends before the first of its stop strings."""

    def __init__(self, decode: Callable[[list[int]], str], stop: tuple[str, ...] = ()) -> None:
        self.text = ""
        self.stopped = False
        self._decode = decode
        self._stop = stop
        self._given = 0

    def take(self, written: list[int]) -> str:
        """What can be given out, now that the tokens are these."""
        self.text = self._decode(written)
        found = [place for place in map(self.text.find, self._stop) if place >= 0]
        if found:
            self.stopped = True
            self.text = self.text[: min(found)]
            return self.rest()
        return self._give(len(self.text.rstrip(UNFINISHED)) - self._held_back())

    def rest(self) -> str:
        """What was held back, when no more tokens come."""
        return self._give(len(self.text))

    def _give(self, end: int) -> str:
        piece = self.text[self._given : end]
        self._given = max(self._given, end)
        return piece

    def _held_back(self) -> int:
        """Characters at the end of the text that a stop string may begin with."""
        longest = max(map(len, self._stop), default=0)
        for length in range(min(longest - 1, len(self.text)), 0, -1):
            end = self.text[-length:]
            if any(stop.startswith(end) for stop in self._stop):
                return length
        return 0
