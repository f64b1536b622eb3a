"""Which of the usable examples make the evaluation set: different from each other, by quota, cluster after cluster."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from acclimate.core.params import EvaluationSetParams
from acclimate.core.records import Reject
from acclimate.data.evaluation.examples import DIFFICULTIES, SOURCE_KINDS, Example
from acclimate.data.evaluation.judging import Judged
from acclimate.data.evaluation.quotas import allocate, largest_remainder
from acclimate.data.seeded import chance
from acclimate.data.similarity.near_duplicates import near_duplicates
from acclimate.data.similarity.sketches import Nearness, sketch_texts

SHINGLE_WORDS = 3
"""Words per n-gram of evaluation_set.duplicate_threshold; fewer than for documents, questions are short."""


def without_near_duplicates(judged: Sequence[Judged], threshold: float, seed: int) -> tuple[list[Judged], list[Reject]]:
    """One of each set of near-duplicates, in the order in which they came, and the others as rejects.

    It is a usable one, of these the one most looked at, then the surest, then the first that came.
    """
    nearness = Nearness(threshold, SHINGLE_WORDS, seed)
    texts = [f"{one.example.question} {one.example.ground_truth.answer}" for one in judged]
    labels = near_duplicates(sketch_texts(texts, nearness), nearness).labels().tolist()
    best: dict[int, int] = {}
    for place, label in enumerate(labels):
        best[label] = min(best.get(label, place), place, key=lambda one: (_rank(judged[one]), one))
    kept = [judged[place] for place, label in enumerate(labels) if best[label] == place]
    copies = [
        judged[place].proposal.rejected("near-duplicate", f"of {judged[best[label]].example.id}")
        for place, label in enumerate(labels)
        if best[label] != place
    ]
    return kept, copies


def _rank(one: Judged) -> tuple[bool, int, float]:
    return bool(one.problem), -one.example.annotators, -one.example.annotation_confidence


def draw(params: EvaluationSetParams, usable: Sequence[Example], seed: int) -> list[Example]:
    """As many of each kind, and in it of each difficulty, as have a place; in random order.

    A difficulty that a kind lacks gives its places to that kind's other difficulties; a kind that is lacking
    gives its places away only if params.on_shortfall is "fill".
    """
    supply = {kind: [example for example in usable if example.source_kind == kind] for kind in SOURCE_KINDS}
    places = largest_remainder(params.examples, params.kinds.model_dump())
    if params.on_shortfall == "fill":
        sizes = {str(kind): len(examples) for kind, examples in supply.items()}
        places = allocate(params.examples, params.kinds.model_dump(), sizes)
    chosen: list[Example] = []
    for kind, examples in supply.items():
        levels = {level: [one for one in examples if one.difficulty == level] for level in DIFFICULTIES}
        there = {str(level): len(of_level) for level, of_level in levels.items()}
        wanted = allocate(places[kind], params.difficulties.model_dump(), there)
        for level, of_level in levels.items():
            chosen += _spread(of_level, seed)[: wanted[level]]
    return sorted(chosen, key=lambda example: (chance(seed, f"examples/{example.id}"), example.id))


def _spread(examples: Sequence[Example], seed: int) -> list[Example]:
    """In random order, but one of every cluster first, then a second of those that have one, and so on."""
    shuffled = sorted(examples, key=lambda example: (chance(seed, f"examples/{example.id}"), example.id))
    turn: Counter[str] = Counter()
    turns: dict[str, int] = {}
    for example in shuffled:
        turns[example.id] = turn[example.cluster]
        turn[example.cluster] += 1
    return sorted(shuffled, key=lambda example: turns[example.id])
