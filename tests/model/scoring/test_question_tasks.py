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
    assert [len(task.items) for task in question_tasks([], PLAIN, answered=5, answer_tokens=9, seed=1)] == [0] * 7


def test_a_definition_is_asked_for_its_term_among_others_of_like_length(
    tasks: dict[str, Task], questions: list[Example]
) -> None:
    by_id = {question.id: question for question in questions}
    items, alone = tasks["definition_to_term"].items, tasks["term_alone"].items
    assert len(items) == len(questions)
    for item, without in zip(items, alone, strict=True):
        question, term = by_id[item["id"]], item["choices"][item["label"]].strip()
        assert question.question == f"What does {term} do?"
        assert item["left"] == f"Question: Which term is defined? {question.ground_truth.answer}\nAnswer:"
        assert without == item | {"left": "Question: Which term is defined?\nAnswer:"}
        assert len(set(item["choices"])) == 4
    assert {item["label"] for item in items} == {0, 1, 2, 3}


@pytest.mark.parametrize(
    ("question", "term"),
    [
        ("What is a fixed point?", "fixed point"),
        ("What are the normal equations?", "normal equations"),
        ("What does numpy.argsort do?", "numpy.argsort"),
        ("What does FFT mean?", "FFT"),
        ("Which call waits for all jobs?", None),
        ("What is the best way to read a very large file?", None),
    ],
)
def test_a_question_for_a_definition_is_known_by_its_words(
    question: str, term: str | None, questions: list[Example]
) -> None:
    asked = [questions[0].model_copy(update={"question": question}), *questions[1:]]
    tasks = {task.name: task for task in question_tasks(asked, PLAIN, answered=0, answer_tokens=9, seed=1)}
    found = [item for item in tasks["definition_to_term"].items if item["id"] == asked[0].id]
    assert [item["choices"][item["label"]] for item in found] == ([f" {term}"] if term else [])


def test_an_example_whose_definition_names_the_term_is_left_out(questions: list[Example]) -> None:
    first = questions[0]
    named = first.ground_truth.model_copy(update={"answer": f"It is numpy.f0, {first.ground_truth.answer}"})
    asked = [first.model_copy(update={"ground_truth": named}), *questions[1:]]
    tasks = {task.name: task for task in question_tasks(asked, PLAIN, answered=0, answer_tokens=9, seed=1)}
    assert first.id not in [item["id"] for item in tasks["definition_to_term"].items]
    assert len(tasks["definition_to_term"].items) == len(questions) - 1
