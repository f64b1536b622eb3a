"""What an item scores on each dimension, by known answers."""

from __future__ import annotations

from typing import Any

import pytest

from acclimate.model.choosing.dimensions import WEIGHTS, scored_items


def choice(values: list[float], label: int) -> dict[str, Any]:
    taken = max(range(len(values)), key=values.__getitem__)
    facts = {"id": "i", "cluster": "numpy.sum", "label": label, "choice": taken, "correct": taken == label}
    return {**facts, "log_likelihoods": values}


def answer(text: str, **more: object) -> dict[str, Any]:
    return {"id": "q", "cluster": "numpy.sum", "text": text, **more}


def test_the_weights_are_those_that_were_asked_for_and_add_up() -> None:
    assert [*WEIGHTS.values()] == [0.35, 0.25, 0.20, 0.15, 0.05]
    assert sum(WEIGHTS.values()) == pytest.approx(1)


def test_a_choice_is_right_or_wrong_and_says_how_far_off() -> None:
    right, wrong = scored_items({"domain_cloze": [choice([-1, -2], 0), choice([-1, -3], 1)]})["domain_accuracy"]
    assert (right.score, right.failed) == (1.0, False)
    assert (wrong.score, wrong.failed, wrong.regret) == (0.0, True, 2.0)
    assert wrong.said == "took choice 1, right was 2, 2.0 nats less likely"


@pytest.mark.parametrize(
    ("values", "score", "failed"),
    [([0.0, -99.0], 1.0, False), ([-99.0, 0.0], 0.0, True), ([-1.0, -1.0], 0.75, False)],
)
def test_certainty_counts_where_it_is_right_and_against_where_it_is_wrong(
    values: list[float], score: float, failed: bool
) -> None:
    (found,) = scored_items({"terminology": [choice(values, 0)]})["uncertainty_calibration"]
    assert found.score == pytest.approx(score)
    assert found.failed is failed


@pytest.mark.parametrize(
    ("row", "score", "said"),
    [
        (answer("Returns the sum of an array."), 1.0, "nothing wrong"),
        (answer("Yes."), 0.75, "fewer than 3 words"),
        (answer("Returns the sum of an"), 0.75, "cut off"),
        (answer("the sum of the sum of the sum of the array."), 0.75, "repeats itself"),
        (answer("Returns the sum of an array.", unsafe=True), 0.75, "profane"),
        (answer(""), 0.5, "fewer than 3 words, cut off"),
    ],
)
def test_an_answer_is_appropriate_as_far_as_it_passes_the_checks(row: dict[str, Any], score: float, said: str) -> None:
    (found,) = scored_items({"questions": [row]})["response_appropriateness"]
    assert found.score == score
    assert found.failed is (score < 1)
    assert found.said.startswith(said)


def test_a_dimension_without_items_is_not_there() -> None:
    assert [*scored_items({"domain_cloze": [choice([-1, -2], 0)]})] == ["domain_accuracy", "uncertainty_calibration"]
