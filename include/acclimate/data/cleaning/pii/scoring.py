"""How well redaction finds what a person has marked: precision and recall per kind.

    {"text": "Write to ⟦email:ann@hill.org⟧, not to user@example.com."}      # a line of labelled text

The set that Acclimate is measured on is tests/data/pii.jsonl; label a few hundred lines of your own domain in
this form to see what redaction does to it.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from acclimate.data.cleaning.redaction import FINDERS, Span, find

_MARKED = re.compile(r"⟦(\w+):([^⟧]*)⟧")


@dataclass(frozen=True)
class Labelled:
    """A text, and what is in it."""

    text: str
    spans: frozenset[Span]


@dataclass
class Found:
    """Spans of one kind: found and marked, found only, marked only. A span counts if both its ends agree."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    @property
    def precision(self) -> float:
        """The share of what was found that is marked; 1 if nothing was found."""
        return self.right / (self.right + self.wrong) if self.right + self.wrong else 1.0

    @property
    def recall(self) -> float:
        """The share of what is marked that was found; 1 if nothing is marked."""
        return self.right / (self.right + self.missed) if self.right + self.missed else 1.0


def read_labelled(path: Path) -> list[Labelled]:
    """The texts of a JSONL file, marks taken out."""
    with path.open(encoding="utf-8") as lines:
        return [parse(json.loads(line)["text"]) for line in lines]


def parse(marked: str) -> Labelled:
    """Take the marks out of a text."""
    pieces: list[str] = []
    spans: list[Span] = []
    end = length = 0
    for match in _MARKED.finditer(marked):
        before, value = marked[end : match.start()], match[2]
        start = length + len(before)
        length, end = start + len(value), match.end()
        pieces += [before, value]
        spans.append(Span(start, length, match[1]))
    return Labelled("".join([*pieces, marked[end:]]), frozenset(spans))


def score(examples: Iterable[Labelled]) -> dict[str, Found]:
    """Kind to what was found of it, over all kinds that redaction knows."""
    counts: dict[str, Found] = defaultdict(Found, {kind: Found() for kind in FINDERS})
    for example in examples:
        found = frozenset(find(example.text, list(FINDERS), {}))
        for span in found | example.spans:
            of = counts[span.kind]
            of.right += span in found and span in example.spans
            of.wrong += span not in example.spans
            of.missed += span not in found
    return dict(counts)
