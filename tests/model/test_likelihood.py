from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from acclimate.model.adapter import load_base
from acclimate.model.likelihood import Choices, choice_log_likelihoods, window_log_likelihoods

ITEMS = [
    Choices(context=[0, 5, 9, 30, 44, 61], continuations=[[7], [8, 9, 10], [11, 12]]),
    Choices(context=[0, 17], continuations=[[3, 4, 5, 6, 7, 8, 9], [9], [200, 201]]),
    Choices(context=[0, 5, 9, 30, 44, 61, 62, 63, 64, 65], continuations=[[100, 7], [100, 8], [100, 9]]),
]


@pytest.fixture(scope="module")
def model(tiny_base: Path) -> Any:
    return load_base(tiny_base)


def by_hand(model: Any, given: list[int], target: list[int]) -> float:
    """One sequence alone through the model, every probability spelled out."""
    import torch

    with torch.no_grad():
        logits = model(torch.tensor([given + target])).logits[0].double()
    probabilities = logits.softmax(dim=1)
    places = range(len(given) - 1, len(given) + len(target) - 1)
    return sum(float(probabilities[place, token].log()) for place, token in zip(places, target, strict=True))


@pytest.mark.parametrize("batch_items", [1, 2, 64])
def test_choices_score_as_if_each_was_read_alone(model: Any, batch_items: int) -> None:
    scores = choice_log_likelihoods(model, ITEMS, batch_items=batch_items)
    for item, values in zip(ITEMS, scores, strict=True):
        expected = [by_hand(model, item.context, continuation) for continuation in item.continuations]
        assert values == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("batch_items", [1, 2, 64])
def test_windows_score_only_what_is_not_given(model: Any, batch_items: int) -> None:
    windows = [([0], [5, 9, 30]), ([0, 5, 9], [30]), ([7], [8] * 20), ([1, 2, 3, 4], [5, 6, 7])]
    scores = window_log_likelihoods(model, windows, batch_items=batch_items)
    assert scores == pytest.approx([by_hand(model, *window) for window in windows], abs=1e-4)


def test_a_text_is_as_likely_as_its_beginning_times_the_rest(model: Any) -> None:
    whole, beginning, rest = window_log_likelihoods(
        model, [([0], [5, 9, 30, 44]), ([0], [5, 9]), ([0, 5, 9], [30, 44])], batch_items=8
    )
    assert whole == pytest.approx(beginning + rest, abs=1e-4)


def test_no_items_give_no_scores(model: Any) -> None:
    assert choice_log_likelihoods(model, [], batch_items=4) == []
    assert window_log_likelihoods(model, [], batch_items=4) == []


@pytest.mark.parametrize("item", [Choices([0], [[1], [2]]), Choices([0, 1], [[1], []])])
def test_an_item_with_nothing_to_condition_on_or_to_score_is_our_own_fault(model: Any, item: Choices) -> None:
    with pytest.raises(AssertionError, match="empty context or continuation"):
        choice_log_likelihoods(model, [item], batch_items=4)
