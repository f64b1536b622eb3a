"""Slices and the gap between groups."""

from __future__ import annotations

from typing import Any

import numpy as np

from acclimate.model.scoring.slices import OTHERS, group_gap, slices


def rows(groups: dict[str, list[int]], **facts: str) -> list[dict[str, Any]]:
    known = {"difficulty": "easy", "domain_category": "x", "source_kind": "expert", "source": "s", "type": "t"} | facts
    return [
        {"cluster": f"{name}.{place}", "group": f"{name}.{place}", "correct": bool(value), **known}
        for name, values in groups.items()
        for place, value in enumerate(values)
    ]


def test_a_metric_is_sliced_by_every_field_that_has_several_values() -> None:
    of = rows({"a": [1] * 12}) + rows({"b": [0] * 11}, difficulty="hard")
    found = slices(of, "correct", seed=1)
    assert list(found) == ["difficulty"]
    assert {value: (one.value, one.n) for value, one in found["difficulty"].items()} == {
        "easy": (1.0, 12),
        "hard": (0.0, 11),
    }


def test_small_slices_are_put_together_and_none_is_lost() -> None:
    of = rows({"a": [1] * 12}) + rows({"b": [0] * 3}, source="t1") + rows({"c": [0]}, source="t2")
    found = slices(of, "correct", seed=1)["source"]
    assert {value: one.n for value, one in found.items()} == {"s": 12, OTHERS: 4}


def test_a_group_is_what_stands_before_the_first_dot_and_the_best_comes_first() -> None:
    found = group_gap(rows({"numpy": [0] * 30, "scipy": [1] * 30}), "correct", "group", seed=1)
    assert list(found.groups) == ["scipy", "numpy"]
    assert (found.gap, found.low, found.high) == (1.0, 1.0, 1.0)
    assert found.p_value is not None
    assert found.p_value < 0.001


def test_groups_that_are_alike_are_not_told_apart_by_the_gap_that_luck_leaves() -> None:
    draws = np.random.default_rng(3).integers(0, 2, (60, 3, 40))
    p = [
        group_gap(rows({str(n): row.tolist() for n, row in enumerate(draw)}), "correct", "group", seed=1).p_value
        for draw in draws[:20]
    ]
    assert sum(value < 0.05 for value in p if value is not None) <= 3
    assert min(value for value in p if value is not None) > 0


def test_small_groups_are_counted_and_not_compared() -> None:
    found = group_gap(rows({"numpy": [1] * 30, "scipy": [0] * 19}), "correct", "group", seed=1)
    assert list(found.groups) == ["numpy"]
    assert found.left_out == 19
    assert found.gap is found.p_value is None
