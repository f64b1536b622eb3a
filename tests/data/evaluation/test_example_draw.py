"""example_draw: no two alike, quotas kept, and the same choice every time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from acclimate.core.params import EvaluationSetParams
from acclimate.data.evaluation.example_draw import draw, without_near_duplicates
from acclimate.data.evaluation.examples import DIFFICULTIES, SOURCE_KINDS, Example, GroundTruth, example_id
from acclimate.data.evaluation.judging import WAITING, Judged
from acclimate.data.evaluation.proposals import Given, Proposal

LONG = "which of the many valves on this side of the machine closes before any other"
Make = Callable[..., Example]


@pytest.fixture
def example() -> Make:
    """example(question, **fields): complete."""

    def make(question: str, **fields: Any) -> Example:
        truth = GroundTruth(answer="So.", answer_type="phrase", key_concepts=[], evaluation_criteria=[])
        identity = example_id(question, "So.")
        values: dict[str, Any] = {
            "id": identity,
            "question": question,
            "ground_truth": truth,
            "type": "factual",
            "difficulty": "easy",
            "difficulty_from": "given",
            "domain_category": "pottery",
            "source_kind": "expert",
            "source": "a book",
            "group": identity,
            "cluster": identity,
            "quality_score": 1.0,
            "annotation_confidence": 0.9,
            "annotators": 0,
            "complexity_score": 0.2,
        }
        return Example(**values | fields)

    return make


def _judged(example: Example, problem: str = "") -> Judged:
    given = Given(question=example.question)
    return Judged(Proposal(given, "expert", example.cluster, "pottery", "expert.jsonl:1"), example, problem, "")


@pytest.mark.parametrize(
    ("worse", "better"),
    [
        ({"annotation_confidence": 0.9}, {"annotation_confidence": 0.95}),
        ({"annotation_confidence": 0.95}, {"annotators": 1}),
    ],
)
def test_of_two_alike_the_better_known_stays(example: Make, worse: dict[str, Any], better: dict[str, Any]) -> None:
    both = [_judged(example(f"{LONG}?", **worse)), _judged(example(f"{LONG}", **better))]
    for order in (both, both[::-1]):
        kept, copies = without_near_duplicates(order, 0.8, seed=1)
        assert kept == [both[1]]
        assert [(copy.reason, copy.detail) for copy in copies] == [("near-duplicate", f"of {both[1].example.id}")]


def test_a_usable_example_goes_before_one_that_waits(example: Make) -> None:
    waiting = _judged(example(LONG, annotators=3), WAITING)
    usable = _judged(example(f"{LONG}?"))
    assert without_near_duplicates([waiting, usable], 0.8, seed=1)[0] == [usable]


def test_nothing_has_no_duplicates() -> None:
    assert without_near_duplicates([], 0.8, seed=1) == ([], [])


def _many(example: Make, number: int, **fields: Any) -> list[Example]:
    return [
        example(f"{fields.get('source_kind', 'expert')} {level} {i}?", difficulty=level, **fields)
        for level in DIFFICULTIES
        for i in range(number)
    ]


def test_with_enough_of_everything_kinds_and_difficulties_meet_their_shares(
    example: Make, evaluation_set_params: EvaluationSetParams
) -> None:
    params = evaluation_set_params.model_copy(update={"examples": 100})
    usable = [one for kind in SOURCE_KINDS for one in _many(example, 50, source_kind=kind)]
    chosen = draw(params, usable, seed=1)
    assert Counter(one.source_kind for one in chosen) == dict(zip(SOURCE_KINDS, (40, 30, 15, 10, 5), strict=True))
    assert Counter(one.difficulty for one in chosen) == {"easy": 40, "medium": 40, "hard": 20}
    assert draw(params, usable[::-1], seed=1) == chosen
    assert draw(params, usable, seed=2) != chosen


@pytest.mark.parametrize(("on_shortfall", "drawn"), [("fill", 20), ("leave", 6), ("stop", 6)])
def test_places_of_missing_kinds_are_given_away_only_if_that_is_wanted(
    example: Make, evaluation_set_params: EvaluationSetParams, on_shortfall: str, drawn: int
) -> None:
    params = evaluation_set_params.model_copy(update={"on_shortfall": on_shortfall})
    assert len(draw(params, _many(example, 30), seed=1)) == drawn


def test_a_difficulty_that_is_lacking_is_replaced_inside_its_kind(
    example: Make, evaluation_set_params: EvaluationSetParams
) -> None:
    usable = [one for one in _many(example, 30) if one.difficulty != "hard"]
    chosen = draw(evaluation_set_params, usable, seed=1)
    assert Counter(one.difficulty for one in chosen) == {"easy": 10, "medium": 10}


def test_every_cluster_has_its_turn_before_any_has_a_second(
    example: Make, evaluation_set_params: EvaluationSetParams
) -> None:
    one_cluster = [example(f"the same thing {i}?", cluster="large") for i in range(50)]
    others = [example(f"another thing {i}?") for i in range(15)]
    chosen = draw(evaluation_set_params, one_cluster + others, seed=1)
    assert {one.id for one in others} < {one.id for one in chosen}
    assert len(chosen) == 20


def test_other_examples_do_not_change_who_is_drawn_first(
    example: Make, evaluation_set_params: EvaluationSetParams
) -> None:
    few, many = (_many(example, number) for number in (10, 11))
    chosen = {one.id for one in draw(evaluation_set_params, few, seed=1)}
    again = {one.id for one in draw(evaluation_set_params, many, seed=1)}
    assert len(chosen & again) >= 17
