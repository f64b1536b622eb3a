"""Replace what identifies a person or opens a door by a word that says what stood there.

    redact("Write to ann@hill.org", ["email"])      # Redacted("Write to [EMAIL]", {"email": 1})

A placeholder keeps the sentence whole, so that a model learns where an address stands and not whose it is
(Dolma masks its web pages so: Soldaini et al. 2024, arXiv 2402.00159). Names of people, users and files stay.
Precision and recall per kind, on tests/data/cleaning/pii.jsonl: bench/redaction.py.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from acclimate.data.cleaning.pii import card, email_address, iban, ip_address, key, national_id, phone

Find = Callable[[str], Iterator[tuple[int, int]]]

# In order of precedence: the digits of a card are not also those of a telephone number.
FINDERS: dict[str, Find] = {
    "key": key.find,
    "email": email_address.find,
    "iban": iban.find,
    "card": card.find,
    "national_id": national_id.find,
    "phone": phone.find,
    "ip": ip_address.find,
}
_DIGITS = re.compile(r"\d(?:[ .()/\u00a0A-Z-]{0,2}\d){5}")
_NUMBERS = frozenset({"iban", "card", "national_id", "phone"})
"""Kinds that are seen by one line alone, and have six digits close together: _DIGITS."""


@dataclass(frozen=True)
class Span:
    """Characters `start` to `end` of a text, and what they are."""

    start: int
    end: int
    kind: str


@dataclass(frozen=True)
class Redacted:
    """A text without what was found in it, and how often each kind was."""

    text: str
    counts: dict[str, int]


def redact(text: str, kinds: Sequence[str], patterns: Mapping[str, str] | None = None) -> Redacted:
    """Replace every span of these `kinds`, and what `patterns` (kind → expression) match, by [KIND]."""
    spans = find(text, kinds, patterns or {})
    if not spans:
        return Redacted(text, {})
    pieces, end = [], 0
    for span in spans:
        pieces += [text[end : span.start], f"[{span.kind.upper()}]"]
        end = span.end
    return Redacted("".join([*pieces, text[end:]]), dict(Counter(span.kind for span in spans)))


def find(text: str, kinds: Sequence[str], patterns: Mapping[str, str]) -> list[Span]:
    """What is to be replaced, in text order, none overlapping another; own `patterns` take precedence."""
    found: list[Span] = []
    for kind, pattern in patterns.items():
        # A group, if there is one, is what is replaced; what stands around it is how it is recognised.
        spans = (match.span(match.re.groups and 1) for match in re.finditer(pattern, text, re.MULTILINE))
        _add_free(found, kind, spans)
    lines = list(_lines_with_numbers(text))
    for kind, finder in FINDERS.items():
        if kind not in kinds:
            continue
        if kind not in _NUMBERS:
            _add_free(found, kind, finder(text))
        for start, line in lines if kind in _NUMBERS else ():
            _add_free(found, kind, ((start + first, start + last) for first, last in finder(line)))
    return found


def _lines_with_numbers(text: str) -> Iterator[tuple[int, str]]:
    """Where each line begins that can hold a number of _NUMBERS, and the line; few texts have one."""
    end = -1
    for match in _DIGITS.finditer(text):
        if match.start() > end:
            start = text.rfind("\n", 0, match.start()) + 1
            end = text.find("\n", match.end())
            end = len(text) if end < 0 else end
            yield start, text[start:end]


def _add_free(found: list[Span], kind: str, spans: Iterable[tuple[int, int]]) -> None:
    """Put those of `spans` that overlap neither `found` nor each other into `found`, which is in text order."""
    for start, end in spans:
        place = bisect_left(found, start, key=lambda span: span.start)
        # Of spans in order that do not overlap, only the two neighbours can reach in.
        after_last = place == 0 or found[place - 1].end <= start
        before_next = place == len(found) or end <= found[place].start
        if start < end and after_last and before_next:
            found.insert(place, Span(start, end, kind))
