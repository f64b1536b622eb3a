"""The rows of every task summed up to what a report shows: one field per dimension."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from acclimate.data.evaluation.examples import Example
from acclimate.model.behaviour.failing import NAME as BEHAVIOUR
from acclimate.model.behaviour.failing import Capability, capabilities
from acclimate.model.scoring.answers import METRICS
from acclimate.model.scoring.calibration import Calibration, calibration
from acclimate.model.scoring.estimates import Estimate, estimate, ratio
from acclimate.model.scoring.lm_tasks import Row
from acclimate.model.scoring.memorisation import HELD_OUT, SEEN, Memorisation, memorisation
from acclimate.model.scoring.overlap import corpus_bleu
from acclimate.model.scoring.robustness import BASES, PREFIX, Robustness, compare
from acclimate.model.scoring.slices import Gap, group_gap, slices
from acclimate.model.scoring.toxicity import Toxicity, toxicity

if TYPE_CHECKING:
    from acclimate.core.params import ObserveParams

Rows = dict[str, list[Row]]

SLICED = {
    "terminology": "correct",
    "definition_to_term": "correct",
    "multiple_choice": "correct",
    "multiple_choice_letters": "correct",
    "multiple_choice_generated": "correct",
    "questions": "token_f1",
}
"""Task of the evaluation set to the metric it is sliced by."""
CALIBRATED = ("domain_cloze", "general_cloze", "terminology", "multiple_choice_letters")
"""Tasks whose choices have comparable likelihoods; whole answers of unlike length have not."""
COMPARED = {"domain_cloze": "correct", "questions": "token_f1"}
"""Where groups are compared: the task with most items, and what users ask."""


@dataclass(frozen=True)
class Found:
    """The rows of a model, and what they were asked from."""

    scored: Rows
    """Of the four tasks that decide."""
    asked: Rows
    """Of the tasks of assess.py."""
    public: Rows
    """Of lm-eval tasks by name."""
    examples: Sequence[Example]
    training: Sequence[str]
    """Training texts; none where they are not known."""
    form: str = "plain"
    """In which the questions were asked."""


@dataclass(frozen=True)
class Assessment:
    """What was observed of a model; what was switched off or had no items is not there."""

    tasks: dict[str, dict[str, Estimate]]
    """Task to metric to its mean over items."""
    corpus_bleu: float | None
    """Of all generated answers together, 0-1: the BLEU that is published."""
    slices: dict[str, dict[str, dict[str, Estimate]]]
    """Task to field to value to the task's metric in SLICED."""
    calibration: dict[str, Calibration]
    robustness: dict[str, Robustness]
    gaps: dict[str, Gap]
    """Task to the gap between its groups."""
    toxicity: Toxicity | None
    memorisation: Memorisation | None
    behaviour: dict[str, Capability]
    """Capability to what its tests show."""
    embedder: str
    """What `similarity` of answers was measured with."""
    form: str = "plain"
    """In which questions were asked (asking.py); 'model' is the tokenizer's own chat template."""


def sum_up(found: Found, params: ObserveParams, *, seed: int) -> Assessment:
    """Every dimension of one model.

    Raises:
        UserError: if score.observe.toxicity names a language without a list.
    """
    apart = (PREFIX, BEHAVIOUR)
    means = {name: _means(name, rows, seed) for name, rows in found.asked.items() if not name.startswith(apart)}
    perplexities = {name: _perplexity(rows, seed) for name, rows in found.scored.items() if "bytes" in rows[0]}
    answers, references = _answers(found)
    return Assessment(
        tasks=perplexities | means | {name: _means(name, rows, seed) for name, rows in found.public.items()},
        corpus_bleu=round(corpus_bleu(answers, references), 6) if answers else None,
        slices={name: slices(rows, SLICED[name], seed=seed) for name, rows in found.asked.items() if name in SLICED},
        calibration=_calibration(found.scored | found.asked, seed),
        robustness=_robustness(found, seed),
        gaps=_gaps(found, params.groups, seed),
        toxicity=_toxicity(found, answers, references, params, seed),
        memorisation=_memorisation(found, answers, references, params, seed),
        behaviour=capabilities(found.asked.get(BEHAVIOUR, []), seed=seed),
        embedder=params.embedder,
        form=found.form,
    )


def _means(name: str, rows: Sequence[Row], seed: int) -> dict[str, Estimate]:
    """Every number of a task's rows that is a score, as a mean over items."""
    clusters = [row["cluster"] for row in rows]

    def mean(values: Sequence[float]) -> Estimate:
        return estimate(values, clusters, seed=seed)

    if name in (SEEN, HELD_OUT):
        return {"words": mean([row["words"] for row in rows])}
    if name == "questions":
        return {metric: mean([row[metric] for row in rows]) for metric in METRICS}
    if "correct" not in rows[0]:
        metrics = [metric for metric in rows[0] if metric not in ("id", "cluster")]
        return {metric: mean([row[metric] for row in rows]) for metric in metrics}
    found = {"accuracy": mean([float(row["correct"]) for row in rows])}
    if name == "multiple_choice_generated":
        found["parsed"] = mean([float(row["choice"] is not None) for row in rows])
    if name == "multiple_choice":
        bits = [-row["log_likelihoods"][row["label"]] / math.log(2) for row in rows]
        found["answer_bits_per_byte"] = ratio(bits, [row["bytes"][row["label"]] for row in rows], clusters, seed=seed)
    return found


def _perplexity(rows: Sequence[Row], seed: int) -> dict[str, Estimate]:
    """Bits per byte, and the same as the number of equally likely bytes a model hesitates between."""
    bits = [-row["log_likelihood"] / math.log(2) for row in rows]
    found = ratio(bits, [row["bytes"] for row in rows], [row["cluster"] for row in rows], seed=seed)
    value, low, high = (round(2.0**value, 6) for value in (found.value, found.low, found.high))
    return {"bits_per_byte": found, "byte_perplexity": Estimate(value, low, high, found.n, found.clusters)}


def _calibration(rows: Rows, seed: int) -> dict[str, Calibration]:
    return {
        name: calibration(
            [row["log_likelihoods"] for row in rows[name]],
            [row["label"] for row in rows[name]],
            [row["cluster"] for row in rows[name]],
            seed=seed,
        )
        for name in CALIBRATED
        if name in rows
    }


def _robustness(found: Found, seed: int) -> dict[str, Robustness]:
    every = found.scored | found.asked
    return {
        change: compare(change, every[base], every[f"{PREFIX}{change}"], seed=seed)
        for change, base in BASES.items()
        if f"{PREFIX}{change}" in every
    }


def _gaps(found: Found, field: str | None, seed: int) -> dict[str, Gap]:
    """Cloze items know their cluster only, which is called like the group of the documents in it."""
    gaps = {}
    for name, metric in COMPARED.items() if field else ():
        rows = (found.scored | found.asked).get(name, [])
        known = [row | {"group": row.get("group", row["cluster"])} for row in rows]
        if known and field in known[0]:
            gaps[name] = group_gap(known, metric, field, seed=seed)
    return gaps


def _answers(found: Found) -> tuple[list[str], list[str]]:
    """Generated answers and the reference answers to the same questions."""
    known = {example.id: example.ground_truth.answer for example in found.examples}
    rows = found.asked.get("questions", [])
    return [row["text"] for row in rows], [known[row["id"]] for row in rows]


def _toxicity(
    found: Found, answers: Sequence[str], references: Sequence[str], params: ObserveParams, seed: int
) -> Toxicity | None:
    if not answers or not params.toxicity:
        return None
    clusters = [row["cluster"] for row in found.asked["questions"]]
    return toxicity(answers, references, clusters, params.toxicity, seed=seed)


def _memorisation(
    found: Found, answers: Sequence[str], references: Sequence[str], params: ObserveParams, seed: int
) -> Memorisation | None:
    if not answers or not (found.asked.get(SEEN) and found.asked.get(HELD_OUT)):
        return None
    clusters = [row["cluster"] for row in found.asked["questions"]]
    words = params.memorised_words
    return memorisation(found.asked, answers, references, clusters, found.training, words=words, seed=seed)
