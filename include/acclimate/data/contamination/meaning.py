"""The search by meaning: an embedder proposes texts that rephrase evaluation items, a judge may dismiss them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from acclimate.data.contamination.embedders import embedder
from acclimate.data.contamination.finds import REPHRASED, Finds
from acclimate.data.contamination.judge import Verdict, ask
from acclimate.data.contamination.rephrasings import Rephrasing, find_rephrasings, sample_sentences
from acclimate.data.contamination.text_blocks import blocks

if TYPE_CHECKING:
    from acclimate.core.params import DecontaminateParams
    from acclimate.data.evaluation.evaluation_items import Question


@dataclass(frozen=True)
class RephrasedReport:
    """What the search by meaning proposed, and what became of it."""

    embedder: str
    similarity: float
    candidates: int
    """Pairs of a text and an item."""
    items: int
    texts: int
    confirmed: int
    dismissed: int
    unparseable: int
    """Answers of the judge that were neither yes nor no: the pair counts as confirmed."""


@dataclass(frozen=True)
class Meant:
    """Texts that may say what items say, confirmed unless a judge has said no."""

    confirmed: Finds
    dismissed: Finds
    pieces: dict[tuple[int, int], str]
    """Text and item to the part of the text that is most like the item."""
    verdicts: dict[tuple[int, int], Verdict]
    """Empty without a judge."""
    report: RephrasedReport | None
    """None if the search is off."""


def search_by_meaning(
    params: DecontaminateParams, train: Path, gone: Collection[int], questions: Sequence[Question]
) -> Meant:
    """Look for the evaluation items among the texts at `train` that have not gone already, by row."""
    found = [] if params.rephrased == "off" else _candidates(params, train, gone, questions)
    verdicts: dict[tuple[int, int], Verdict] = {}
    if params.judge is not None:
        verdicts = {(one.text, one.item): ask(params.judge, questions[one.item].text, one.piece) for one in found}
    dismissed = [verdicts.get((one.text, one.item)) == "no" for one in found]
    confirmed = [one for one, no in zip(found, dismissed, strict=True) if not no]
    return Meant(
        confirmed=_finds(confirmed),
        dismissed=_finds([one for one, no in zip(found, dismissed, strict=True) if no]),
        pieces={(one.text, one.item): one.piece for one in found},
        verdicts=verdicts,
        report=None if params.rephrased == "off" else _report(params, found, confirmed, verdicts),
    )


def _candidates(
    params: DecontaminateParams, train: Path, gone: Collection[int], questions: Sequence[Question]
) -> list[Rephrasing]:
    embed = embedder(params.embedder, sample_sentences(text for _, text in _texts(train)))
    return find_rephrasings(
        ((row, text) for row, text in _texts(train) if row not in gone),
        [question.text for question in questions],
        embed,
        similarity=params.similarity,
        neighbours=params.neighbours,
    )


def _texts(train: Path) -> Iterator[tuple[int, str]]:
    for first, block in blocks(train, ["text"]):
        yield from enumerate(block.column("text").to_pylist(), start=first)


def _finds(found: Sequence[Rephrasing]) -> Finds:
    pairs = np.array([(one.text, one.item) for one in found], dtype=np.int64).reshape(-1, 2)
    return Finds.of(REPHRASED, pairs, np.array([one.similarity for one in found], dtype=np.float64))


def _report(
    params: DecontaminateParams,
    found: Sequence[Rephrasing],
    confirmed: Sequence[Rephrasing],
    verdicts: dict[tuple[int, int], Verdict],
) -> RephrasedReport:
    return RephrasedReport(
        embedder=params.embedder,
        similarity=params.similarity,
        candidates=len(found),
        items=len({one.item for one in confirmed}),
        texts=len({one.text for one in confirmed}),
        confirmed=len(confirmed),
        dismissed=len(found) - len(confirmed),
        unparseable=Counter(verdicts.values())["unparseable"],
    )
