"""How demanding a question is, where nobody has said so: a score from three things that can be counted.

    vocabulary = Vocabulary.of(training_rows)
    vocabulary.concepts("Sort the array along an axis.")    # ["array", "axis"]
    vocabulary.complexity(question, answer)                 # 0.41

Complexity (0–1) is the mean of: how long question and answer are together (LONG_WORDS words are 1), the share of
their words that are unfamiliar, and how many terms of the domain they name (MANY_CONCEPTS are 1). Length, and the
share of words that are not on a list of 3,000 familiar ones, are what the readability formula of Dale and Chall
(1948) is made of; the list here is what general training text says most often. It ranks questions by what
understanding them takes, and knows nothing of the reasoning an answer needs.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from acclimate.core.records import GENERAL
from acclimate.data.evaluation.cloze import OPENING_CHARACTERS, Lexicon
from acclimate.data.similarity.words import opening, words

LONG_WORDS = 50
MANY_CONCEPTS = 6
FAMILIAR_WORDS = 3000
"""As many as on the list of Dale and Chall."""

_WORD = re.compile(r"[^\W\d_]{4,}")

Row = dict[str, Any]


@dataclass(frozen=True)
class Vocabulary:
    """What is familiar and what is the domain's own, as training text has it."""

    familiar: frozenset[str]
    terms: frozenset[str]
    """The cloze lexicon's terms, case folded."""

    @classmethod
    def of(cls, train: Sequence[Row]) -> Vocabulary:
        """Learn it from the openings of the training store's documents (`text`, `type` and `domain` are read)."""
        raw = [row for row in train if row["type"] == "raw_text"]
        general = [opening(row["text"], OPENING_CHARACTERS) for row in raw if row["domain"] == GENERAL]
        own = [opening(row["text"], OPENING_CHARACTERS) for row in raw if row["domain"] != GENERAL]
        counts = Counter(word for text in general for word in words(text))
        ranked = sorted(counts, key=lambda word: (-counts[word], word))
        terms = Lexicon.of(own, general).terms
        return cls(frozenset(ranked[:FAMILIAR_WORDS]), frozenset(term.casefold() for term in terms))

    def concepts(self, text: str) -> list[str]:
        """The domain's terms in `text`, each once, in the order in which they first stand there."""
        found = (match.group().casefold() for match in _WORD.finditer(text))
        return list(dict.fromkeys(word for word in found if word in self.terms))

    def complexity(self, question: str, answer: str) -> float:
        """The score of the module's docstring, to four decimals; 0 for texts without words."""
        spoken = words(f"{question} {answer}")
        unfamiliar = sum(word not in self.familiar for word in spoken) / max(1, len(spoken))
        named = len(self.concepts(f"{question} {answer}"))
        parts = (min(1.0, len(spoken) / LONG_WORDS), unfamiliar, min(1.0, named / MANY_CONCEPTS))
        return round(sum(parts) / len(parts), 4)
