"""Tasks from the evaluation set: what they ask, and that nothing in them gives the answer away."""

from __future__ import annotations

from pathlib import Path

import pytest

from acclimate.data.evaluation.examples import Example, read_examples
from acclimate.model.scoring.asking import PLAIN
from acclimate.model.scoring.lm_tasks import Task
from acclimate.model.scoring.question_tasks import FACTS, question_tasks


@pytest.fixture(scope="module")
def questions(examples: Path) -> list[Example]:
    return read_examples(examples)


@pytest.fixture(scope="module")
def tasks(questions: list[Example]) -> dict[str, Task]:
    return {task.name: task for task in question_tasks(questions, PLAIN, answered=5, answer_tokens=9, seed=1)}


def test_a_term_is_left_out_of_its_answer_and_stands_nowhere_before(
    tasks: dict[str, Task], questions: list[Example]
) -> None:
    by_id = {question.id: question for question in questions}
    assert tasks["terminology"].items
    for item in tasks["terminology"].items:
        question, term = by_id[item["id"]], item["choices"][item["label"]]
        whole = f"Question: {question.question}\nAnswer: {question.ground_truth.answer}"
        assert item["left"] + term + item["right"] == whole
        assert term not in item["left"]
        assert len(item["choices"]) == len(set(item["choices"])) == 4
        for other in set(item["choices"]) - {term}:
            assert other not in whole.lower()


def test_the_three_ways_of_multiple_choice_ask_the_same(tasks: dict[str, Task]) -> None:
    texts, letters = tasks["multiple_choice"].items, tasks["multiple_choice_letters"].items
    for text, letter in zip(texts, letters, strict=True):
        assert letter["label"] == text["label"]
        for place, option in enumerate(text["choices"]):
            assert f"\n{'ABCD'[place]}.{option}\n" in letter["left"]
    assert list(tasks["multiple_choice_generated"].items) == list(letters[:5])
    assert {item["label"] for item in texts} == {0, 1, 2, 3}


def test_questions_are_asked_as_they_are_served_and_only_as_many_as_asked_for(
    tasks: dict[str, Task], questions: list[Example]
) -> None:
    task = tasks["questions"]
    assert [item["reference"] for item in task.items] == [one.ground_truth.answer for one in questions[:5]]
    assert task.items[0]["prompt"] == f"Question: {questions[0].question}\nAnswer:"
    assert task.new_tokens == 9


def test_every_item_carries_what_it_is_sliced_by(tasks: dict[str, Task]) -> None:
    for task in tasks.values():
        for item in task.items:
            assert {"id", "cluster", *FACTS} <= item.keys()


def test_no_examples_make_tasks_without_items() -> None:
    assert [len(task.items) for task in question_tasks([], PLAIN, answered=5, answer_tokens=9, seed=1)] == [0] * 5
