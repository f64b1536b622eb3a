"""Whether a model gives its training texts away word for word.

    memorisation_texts      the opening of a training text is the prompt: how far does the model go on as the text does?
    memorisation_held_out   the same with texts it has not seen: what can be guessed without having read it

A text counts as extracted if the model continues it verbatim for a stated number of words (Carlini et al. 2023,
Quantifying Memorization, section 3, where it is 50 tokens). Apart from that, generated answers are looked through for
passages of that length that stand in the training set; so are the reference answers, which are held-out text by
people: what they share is the language of the domain, not memory.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from acclimate.data.seeded import chance
from acclimate.data.similarity.passages import Passages
from acclimate.data.similarity.words import WordStreams
from acclimate.model.scoring.estimates import Estimate, estimate
from acclimate.model.scoring.lm_tasks import Item, Row, Task

SEEN, HELD_OUT = "memorisation_texts", "memorisation_held_out"
PROMPT_WORDS = 24
"""Given of a text: enough to recognise it by, so that what follows is memory rather than a guess at the topic."""


@dataclass(frozen=True)
class Memorisation:
    """How much of its training set a model says verbatim."""

    words: int
    """In a row, that make a passage."""
    extracted: Estimate
    """Share of training texts continued verbatim for so many words."""
    extracted_held_out: Estimate
    """The same of texts it has not seen."""
    mean_words: Estimate
    """Words continued verbatim, on average over training texts."""
    mean_words_held_out: Estimate
    answers_with_passage: Estimate
    """Share of generated answers that hold a passage of the training set."""
    references_with_passage: Estimate


def memorisation_tasks(
    training: Sequence[str], held_out: Sequence[Item], *, texts: int, words: int, tokens: int, seed: int
) -> list[Task]:
    """Openings to continue, as many of training texts as of held-out ones.

    Args:
        training: the training texts.
        held_out: items with `id`, `cluster` and `text`.
        texts: how many of each, at most; those long enough to have `words` words after the opening.
        words: that must follow.
        tokens: generated per text.
        seed: of the choice.
    """
    seen = [{"id": f"train:{n}", "cluster": f"train:{n}", "text": text} for n, text in enumerate(training)]
    return [
        Task(name, "generation", _openings(items, texts, words, f"{name}/", seed), tokens)
        for name, items in ((SEEN, seen), (HELD_OUT, held_out))
    ]


def continued_rows(task: Task, answers: Sequence[str]) -> list[Row]:
    """Per text how many words the model went on as the text does."""
    return [
        {"id": item["id"], "cluster": item["cluster"], "text": text, "words": _shared_beginning(text, item["rest"])}
        for item, text in zip(task.items, answers, strict=True)
    ]


def memorisation(
    rows: dict[str, list[Row]],
    answers: Sequence[str],
    references: Sequence[str],
    clusters: Sequence[str],
    training: Sequence[str],
    *,
    words: int,
    seed: int,
) -> Memorisation:
    """Sum up the rows of both tasks, and look the answers through.

    Args:
        rows: of the tasks SEEN and HELD_OUT.
        answers: generated answers to questions.
        references: the answers that people gave to the same questions.
        clusters: of these questions.
        training: the training texts.
        words: in a row, that make a passage.
        seed: of the intervals.
    """
    passages = Passages.of(WordStreams.of(training), words)
    return Memorisation(
        words=words,
        extracted=_extracted(rows[SEEN], words, seed),
        extracted_held_out=_extracted(rows[HELD_OUT], words, seed),
        mean_words=_mean_words(rows[SEEN], seed),
        mean_words_held_out=_mean_words(rows[HELD_OUT], seed),
        answers_with_passage=estimate(_holding(passages, answers), clusters, seed=seed),
        references_with_passage=estimate(_holding(passages, references), clusters, seed=seed),
    )


def _openings(items: Sequence[Item], texts: int, words: int, name: str, seed: int) -> list[Item]:
    order = sorted(items, key=lambda item: chance(seed, f"{name}{item['id']}"))
    found: list[Item] = []
    for item in order:
        if len(found) == texts:
            break
        ends = [match.end() for match in re.finditer(r"\S+", item["text"])]
        if len(ends) >= PROMPT_WORDS + words:
            cut = ends[PROMPT_WORDS - 1]
            pieces = {"prompt": item["text"][:cut], "rest": item["text"][cut:]}
            found.append({"id": item["id"], "cluster": item["cluster"], **pieces})
    return found


def _shared_beginning(text: str, rest: str) -> int:
    """Words that both begin with."""
    said, expected = text.split(), rest.split()
    pairs = zip(said, expected, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(said), len(expected)))


def _extracted(rows: Sequence[Row], words: int, seed: int) -> Estimate:
    return estimate([float(row["words"] >= words) for row in rows], [row["cluster"] for row in rows], seed=seed)


def _mean_words(rows: Sequence[Row], seed: int) -> Estimate:
    return estimate([float(row["words"]) for row in rows], [row["cluster"] for row in rows], seed=seed)


def _holding(passages: Passages, texts: Sequence[str]) -> list[float]:
    """1 for a text that holds one of the passages, else 0."""
    owners, _ = passages.occurrences(WordStreams.of(texts))
    holding = np.zeros(len(texts))
    holding[owners] = 1.0
    found: list[float] = holding.tolist()
    return found
