"""Robustness: an item changed, and its answer held against the one before."""

from __future__ import annotations

from typing import Any

from acclimate.model.scoring.asking import PLAIN
from acclimate.model.scoring.robustness import BASES, compare, robustness_tasks

LETTERS = {
    "id": "a",
    "cluster": "a",
    "question": "Which?",
    "options": ["one", "two", "three", "four"],
    "left": "Question: Which?\nA. one\nB. two\nC. three\nD. four\nAnswer:",
    "choices": [" A", " B", " C", " D"],
    "right": "",
    "label": 1,
}


def row(identity: str, choice: int, label: int) -> dict[str, Any]:
    values = [0.0 if place == choice else -1.0 for place in range(4)]
    found = {"id": identity, "cluster": identity, "label": label, "choice": choice, "correct": choice == label}
    return {**found, "log_likelihoods": values}


def test_options_in_the_opposite_order_keep_the_right_one_right() -> None:
    tasks = robustness_tasks({"multiple_choice_letters": [LETTERS]}, PLAIN, items=5, seed=1)
    (changed,) = next(task.items for task in tasks if task.name == "robustness_option_order")
    assert "A. four\nB. three\nC. two\nD. one\n" in changed["left"]
    assert changed["label"] == 2


def test_a_model_that_always_takes_the_first_option_is_not_consistent() -> None:
    before = [row(name, 0, 0) for name in "abcd"]
    found = compare("option_order", before, [row(name, 0, 3) for name in "abcd"], seed=1)
    assert found.consistency.value == 0
    assert (found.before.value, found.after.value, found.loss.value) == (1, 0, 1)


def test_the_same_option_at_its_new_place_is_the_same_answer() -> None:
    found = compare("option_order", [row("a", 1, 0)], [row("a", 2, 3)], seed=1)
    assert found.consistency.value == 1


def test_only_changed_items_are_compared_each_with_itself() -> None:
    before = [row("a", 0, 0), row("b", 1, 1), row("c", 2, 1)]
    found = compare("typos", before, [row("c", 2, 1), row("a", 3, 0)], seed=1)
    assert found.consistency.n == 2
    assert found.consistency.value == 0.5
    assert found.loss.value == 0.5


def test_items_that_a_change_leaves_as_they_are_and_tasks_that_were_not_run_are_left_out() -> None:
    same = {"id": "a", "cluster": "a", "left": "a b", "right": "", "choices": ["x", "y"], "label": 0}
    tasks = robustness_tasks({"domain_cloze": [same, {**same, "left": "Some words"}]}, PLAIN, items=5, seed=1)
    sizes = {task.name: len(task.items) for task in tasks}
    assert sizes["robustness_lower_case"] == 1
    assert sizes["robustness_option_order"] == sizes["robustness_short_form"] == 0
    assert len(tasks) == len(BASES) == 6


def test_no_more_items_than_asked_for_are_changed() -> None:
    items = [{**LETTERS, "id": str(n)} for n in range(9)]
    tasks = robustness_tasks({"multiple_choice_letters": items}, PLAIN, items=4, seed=1)
    assert max(len(task.items) for task in tasks) == 4
