"""Multiple choice made from answers, and a letter read back from what a model wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from acclimate.data.evaluation.examples import Example, read_examples
from acclimate.model.scoring.matching import token_f1
from acclimate.model.scoring.options import MAX_OVERLAP, chosen, lettered, wrong_options

OPTIONS = ["Pool.join", "Pool.map", "A pool of workers"]


@pytest.fixture(scope="module")
def questions(examples: Path) -> list[Example]:
    return read_examples(examples)


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        (" B", 1),
        ("(B) Pool.map", 1),
        ("b", None),
        ("The answer is C.", 2),
        ("Answer: A", 0),
        ("D. None of these", None),
        ("It is Pool.join, which waits.", 0),
        ("A pool of workers waits", 2),
        ("Pool.join or Pool.map", None),
        ("", None),
    ],
)
def test_an_answer_names_an_option_by_letter_or_by_its_words(text: str, choice: int | None) -> None:
    assert chosen(text, OPTIONS) == choice


def test_options_stand_under_letters_in_their_order() -> None:
    assert lettered("Which?", OPTIONS[:2]) == "Which?\nA. Pool.join\nB. Pool.map"


def test_wrong_options_are_other_answers_that_say_something_else(questions: list[Example]) -> None:
    options = wrong_options(questions[0], questions, seed=1)
    assert options is not None
    assert len(set(options)) == 3
    answers = [question.ground_truth.answer for question in questions[1:]]
    for option in options:
        assert option in answers
        assert token_f1(option, questions[0].ground_truth.answer) <= MAX_OVERLAP
    assert wrong_options(questions[0], questions, seed=1) == options


def test_too_few_answers_make_no_item(questions: list[Example]) -> None:
    assert wrong_options(questions[0], questions[:3], seed=1) is None


def test_an_answer_of_its_own_cluster_is_never_a_wrong_option(questions: list[Example]) -> None:
    one_cluster = [question.model_copy(update={"cluster": "one"}) for question in questions]
    assert wrong_options(one_cluster[0], one_cluster, seed=1) is None
