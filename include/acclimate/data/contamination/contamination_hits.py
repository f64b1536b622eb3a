"""A training text beside the evaluation item it overlaps, with what they share marked.

    artifacts/decontaminate/hits.jsonl
    {"id": "9f2c…", "source": "shelf", "action": "dropped", "rule": "shares a passage with an item",
     "task": "domain_cloze", "item": "d1:78", "more": 2, "similarity": 1.0, "judge": null,
     "text": [["… the pots are ", false], ["fired once at nine hundred", true], …],
     "evaluation": [["Before the glaze is put on, the pots are ", false], …]}

Marked are the runs of words that stand in both: RUN_WORDS or more where words were compared in a row,
single longer words where only the meaning was.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from acclimate.data.contamination.finds import COPY, REPHRASED, RULES, Finds
from acclimate.data.contamination.text_blocks import rows_at
from acclimate.data.similarity.words import stands_alone, word_places

if TYPE_CHECKING:
    from acclimate.data.contamination.meaning import Meant
    from acclimate.data.evaluation.evaluation_items import Question

CONTEXT_WORDS = 25
"""Words shown to each side of what is marked."""
SHOWN_WORDS = 120
"""At most, of either."""
RUN_WORDS = 5
MIN_WORD_CHARACTERS = 4
"""Shorter words stand in any two texts; a character of a script without spaces says as much as a word does."""
SEARCHED_CHARACTERS = 200_000
"""Of a training text; an overlap further on is shown without marks."""

Segments = list[tuple[str, bool]]
"""Consecutive stretches of a text, and whether each is marked."""


@dataclass(frozen=True)
class Hit:
    """One training text, the first item it overlaps by its first rule, and how many more items."""

    id: str
    source: str
    action: str
    """dropped, flagged, or dismissed (by the judge)."""
    rule: str
    task: str
    item: str
    more: int
    similarity: float
    judge: str | None
    text: Segments
    evaluation: Segments


def list_hits(
    train: Path, items: Sequence[Question], finds: Finds, dropped: Collection[int], meant: Meant
) -> Iterator[Hit]:
    """One hit for every text with finds, in stored order."""
    firsts = finds.firsts()
    for row, document in rows_at(train, firsts):
        place, count = firsts[row]
        number = int(finds.items[place])
        item, rule = items[number], RULES[finds.rules[place]]
        verdict = meant.verdicts.get((row, number)) if rule == REPHRASED else None
        shown = meant.pieces[row, number] if rule == REPHRASED else document["text"]
        text, evaluation = side_by_side(shown, item.text, rule)
        yield Hit(
            id=document["id"],
            source=document["source"],
            action="dropped" if row in dropped else "dismissed" if verdict == "no" else "flagged",
            rule=rule,
            task=item.task,
            item=item.id,
            more=count - 1,
            similarity=round(float(finds.similarities[place]), 4),
            judge=verdict,
            text=text,
            evaluation=evaluation,
        )


def side_by_side(text: str, item: str, rule: str) -> tuple[Segments, Segments]:
    """Excerpts of both with the words in common marked."""
    run = 1 if rule in (REPHRASED, COPY) else RUN_WORDS
    mine, theirs = _Tokens.of(text[:SEARCHED_CHARACTERS]), _Tokens.of(item)
    run = min(run, max(1, len(theirs.words)))
    return mine.excerpt(theirs.words, run), theirs.excerpt(mine.words, run)


@dataclass(frozen=True)
class _Tokens:
    """A text's words, normalised, with where they stand."""

    text: str
    words: list[str]
    spans: list[tuple[int, int]]

    @classmethod
    def of(cls, text: str) -> _Tokens:
        found = word_places(text)
        return cls(text, [word for word, _, _ in found], [(start, end) for _, start, end in found])

    def excerpt(self, others: Sequence[str], run: int) -> Segments:
        """The part around the first stretch in common."""
        marks = self._common(others, run)
        first = marks.index(True) if True in marks else 0
        start = max(0, first - CONTEXT_WORDS)
        last = max((place for place, mark in enumerate(marks[: start + SHOWN_WORDS]) if mark), default=first)
        end = min(len(marks), start + SHOWN_WORDS, last + 1 + CONTEXT_WORDS)
        return self._segments(marks, start, end)

    def _common(self, others: Sequence[str], run: int) -> list[bool]:
        """[words]: whether each stands in a run of `run` words that `others` has too."""
        theirs = {tuple(others[place : place + run]) for place in range(len(others) - run + 1)}
        marks = [False] * len(self.words)
        for place in range(len(self.words) - run + 1):
            here = tuple(self.words[place : place + run])
            if here in theirs and (run > 1 or len(here[0]) >= MIN_WORD_CHARACTERS or stands_alone(here[0])):
                marks[place : place + run] = [True] * run
        return marks

    def _segments(self, marks: list[bool], start: int, end: int) -> Segments:
        """Words start … end - 1, text between two marked words marked with them."""
        if start >= end:
            return [(self.text[:SHOWN_WORDS], False)] if self.text else []
        segments: Segments = [("… ", False)] if start else []
        position = self.spans[start][0] if start else 0
        runs = [(mark, list(places)) for mark, places in groupby(range(start, end), key=marks.__getitem__)]
        for mark, places in runs:
            if mark and position < self.spans[places[0]][0]:
                segments.append((self.text[position : self.spans[places[0]][0]], False))
                position = self.spans[places[0]][0]
            reach = self.spans[places[-1]][1]
            # Nothing is left of a character that was two words, one of them in the run before.
            segments += [(self.text[position:reach], mark)] if position < reach else []
            position = max(position, reach)
        rest = self.text[position:] if end == len(marks) else " …"
        return [*segments, (rest[: 2 * CONTEXT_WORDS], False)] if rest else segments
