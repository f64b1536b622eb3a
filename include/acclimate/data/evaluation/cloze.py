"""Cloze items: a term of the corpus' own vocabulary is left out of a held-out document.

    lexicon = Lexicon.of(domain_openings, general_openings)
    found = candidates_in(document, cluster, text, lexicon, left_characters=300, right_characters=60)
    items, passed_over = draw(found, lexicon, wanted=800, seed=1729)

The three wrong answers are terms of the same lexicon and of nearly the same frequency, so knowing how
common a word is does not help. The answer may not stand in the left context (it could be copied),
a wrong answer nowhere in the window, and no choice may be part of another.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from acclimate.data.evaluation.evaluation_items import ClozeItem
from acclimate.data.seeded import chance
from acclimate.data.similarity.words import words

OPENING_CHARACTERS = 1200
"""Items come from where documents open, the part that training reads (mix.max_document_characters)."""
MIN_LEFT_CHARACTERS = 80
"""With less before it a term can hardly be told from any other."""
TERMS_PER_MILLION = 50
"""A term must be this frequent: a model cannot be expected to have learnt what it has hardly seen."""
FREQUENCY_RATIO = 4
"""… and this many times as frequent as in the other corpus: general words tell nothing about a domain."""
NEIGHBOURS = 12
"""Wrong answers come from this many lexicon places to each side of the answer, in order of frequency."""
ITEMS_PER_DOCUMENT = 6
ITEMS_PER_TERM = 8

_TERM = re.compile(r"(?<!\w)[^\W\d]{4,}(?!\w)")


@dataclass(frozen=True)
class Lexicon:
    """The terms that set one corpus apart from another, rarest first."""

    terms: list[str]
    place: dict[str, int]

    @classmethod
    def of(cls, own: Iterable[str], other: Iterable[str]) -> Lexicon:
        """Count the terms of both corpora and keep those frequent in `own` and rare in `other`."""
        ours, theirs = _count(own), _count(other)
        our_total, their_total = max(1, ours.total()), max(1, theirs.total())
        kept = [
            (count, term)
            for term, count in ours.items()
            if count / our_total >= TERMS_PER_MILLION / 1e6
            # One more occurrence in the other corpus: a term it lacks by chance is no term of ours alone.
            and count / our_total >= FREQUENCY_RATIO * (theirs[term] + 1) / their_total
        ]
        terms = [term for _, term in sorted(kept)]
        return cls(terms, {term: place for place, term in enumerate(terms)})

    def alternatives(self, answer: str, window: str) -> list[str]:
        """Terms about as frequent as `answer`, which stands in `window`, that neither stand there nor contain it."""
        place = self.place[answer]
        near = self.terms[max(0, place - NEIGHBOURS) : place + NEIGHBOURS + 1]
        known, text = answer.casefold(), window.casefold()
        return [t for t in near if (term := t.casefold()) not in text and known not in term]


@dataclass(frozen=True)
class Candidate:
    """A term in a held-out document with the text around it."""

    document: str
    cluster: str
    offset: int
    left: str
    answer: str
    right: str

    @property
    def id(self) -> str:
        """The item's id: document and offset of the term."""
        return f"{self.document}:{self.offset}"

    @property
    def window(self) -> str:
        """The text as it stands in the document."""
        return self.left + self.answer + self.right


def candidates_in(
    document: str, cluster: str, text: str, lexicon: Lexicon, *, left_characters: int, right_characters: int
) -> list[Candidate]:
    """Every lexicon term of a document's opening that does not stand in its own left context."""
    found = []
    for match in _TERM.finditer(text):
        answer, start, end = match.group(), match.start(), match.end()
        if answer not in lexicon.place or start < MIN_LEFT_CHARACTERS:
            continue
        left = _from_word(text, max(0, start - left_characters), start)
        right = _to_word(text, end, min(len(text), end + right_characters))
        if left.strip() and answer.casefold() not in left.casefold():
            found.append(Candidate(document, cluster, start, left, answer, right))
    return found


def draw(
    found: Sequence[Candidate], lexicon: Lexicon, *, wanted: int, seed: int
) -> tuple[list[ClozeItem], Counter[str]]:
    """Choose up to `wanted` items, as many clusters as there are before any cluster's second.

    Returns:
        The items, and the candidates looked at and not taken, counted by reason.
    """
    items: list[ClozeItem] = []
    passed: Counter[str] = Counter()
    documents: Counter[str] = Counter()
    terms: Counter[str] = Counter()
    windows: set[tuple[str, ...]] = set()
    for candidate in _spread(found, seed):
        if len(items) == wanted:
            break
        window = tuple(words(candidate.window))
        item = _item(candidate, lexicon, seed)
        if documents[candidate.document] >= ITEMS_PER_DOCUMENT:
            passed["document has its items"] += 1
        elif terms[candidate.answer] >= ITEMS_PER_TERM:
            passed["term has its items"] += 1
        elif window in windows:
            passed["same window"] += 1
        elif item is None:
            passed["too few wrong answers"] += 1
        else:
            items.append(item)
            windows.add(window)
            documents[candidate.document] += 1
            terms[candidate.answer] += 1
    return items, passed


def _count(texts: Iterable[str]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(_TERM.findall(text))
    return counts


def _spread(found: Sequence[Candidate], seed: int) -> list[Candidate]:
    """One candidate of every cluster, then a second of every cluster that has one, and so on."""
    shuffled = sorted(found, key=lambda candidate: (chance(seed, candidate.id), candidate.id))
    turn: Counter[str] = Counter()
    turns = []
    for candidate in shuffled:
        turns.append(turn[candidate.cluster])
        turn[candidate.cluster] += 1
    order = sorted(range(len(shuffled)), key=lambda place: (turns[place], place))
    return [shuffled[place] for place in order]


def _item(candidate: Candidate, lexicon: Lexicon, seed: int) -> ClozeItem | None:
    """The candidate with three wrong answers, all four in random order; None if there are not three."""
    alternatives = lexicon.alternatives(candidate.answer, candidate.window)
    shuffle = random.Random(f"{seed}:{candidate.id}")
    shuffle.shuffle(alternatives)
    wrong: list[str] = []
    for term in alternatives:
        folded = term.casefold()
        if not any(folded in other.casefold() or other.casefold() in folded for other in wrong):
            wrong.append(term)
    if len(wrong) < 3:
        return None
    choices = [candidate.answer, *wrong[:3]]
    shuffle.shuffle(choices)
    return ClozeItem(
        candidate.id,
        candidate.document,
        candidate.cluster,
        candidate.left,
        candidate.right,
        choices,
        choices.index(candidate.answer),
    )


def _from_word(text: str, start: int, end: int) -> str:
    """text[start:end] without a word cut in two at its start."""
    if start > 0 and not text[start - 1].isspace():
        while start < end and not text[start].isspace():
            start += 1
    return text[start:end]


def _to_word(text: str, start: int, end: int) -> str:
    """text[start:end] without a word cut in two at its end."""
    if end < len(text) and not text[end].isspace():
        while end > start and not text[end - 1].isspace():
            end -= 1
    return text[start:end]
