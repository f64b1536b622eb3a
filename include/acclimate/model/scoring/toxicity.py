"""Profane and obscene words in generated text, by the word lists of glin-profanity.

    profane(["Return the sorted array."], ["english"])    # [[]]

A list knows words and no context: it finds none of what is hateful in decent words, and finds the innocent homonyms
of a technical text. So the share in the reference answers, written by people, is reported beside the model's. The
lists are in the library: nothing is downloaded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from acclimate.core.errors import UserError
from acclimate.model.scoring.estimates import Estimate, estimate


@dataclass(frozen=True)
class Toxicity:
    """How many generated answers hold a word of the lists."""

    lexicon: str
    generated: Estimate
    references: Estimate
    """The same of the reference answers: what the lists find where there is nothing to find."""
    words: dict[str, int]
    """In how many generated answers each word found stands, most frequent first."""


def toxicity(
    texts: Sequence[str], references: Sequence[str], clusters: Sequence[str], languages: Sequence[str], *, seed: int
) -> Toxicity:
    """Look `texts` and their `references` through.

    Raises:
        UserError: if there is no list for one of the languages.
    """
    from importlib.metadata import version

    found, expected = profane(texts, languages), profane(references, languages)
    counts = Counter(word for words in found for word in words)
    return Toxicity(
        lexicon=f"glin-profanity {version('glin-profanity')}: {', '.join(languages)}",
        generated=estimate([float(bool(words)) for words in found], clusters, seed=seed),
        references=estimate([float(bool(words)) for words in expected], clusters, seed=seed),
        words=dict(sorted(counts.items(), key=lambda one: (-one[1], one[0]))),
    )


def profane(texts: Sequence[str], languages: Sequence[str]) -> list[list[str]]:
    """The words of the lists in each text, each once, in alphabetical order.

    Raises:
        UserError: if there is no list for one of the languages.
    """
    from glin_profanity import Filter, Language

    known = set(get_args(Language))
    unknown = sorted(set(languages) - known)
    if unknown:
        raise UserError(
            f"score.observe.toxicity names {', '.join(unknown)}, for which glin-profanity has no word list",
            why="nothing would be found in it",
            fix=f"choose among {', '.join(sorted(known))}, or set it to [] and measure none",
        )
    lists = Filter({"languages": list(languages), "case_sensitive": False, "word_boundaries": True})
    return [sorted(set(lists.check_profanity(text)["profane_words"])) for text in texts]
