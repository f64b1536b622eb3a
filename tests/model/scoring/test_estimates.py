"""Means with intervals."""

from __future__ import annotations

import pytest

from acclimate.model.scoring.estimates import Estimate, estimate, ratio
from acclimate.model.statistics import wilson_interval


def test_a_share_has_wilsons_interval_even_where_all_are_right() -> None:
    low, high = wilson_interval(4, 4)
    assert estimate([1, 1, 1, 1], ["a", "a", "b", "c"], seed=1) == Estimate(1.0, round(low, 6), round(high, 6), 4, 3)


def test_another_mean_is_as_sure_as_its_clusters_are_many() -> None:
    values = [0.1, 0.1, 0.9, 0.9] * 5
    apart = estimate(values, [str(place) for place in range(20)], seed=1)
    together = estimate(values, [f"{value}{place // 10}" for place, value in enumerate(values)], seed=1)
    assert apart.value == together.value == 0.5
    assert together.high - together.low > 2 * (apart.high - apart.low)


def test_a_ratio_is_of_sums_and_no_mean_of_ratios() -> None:
    found = ratio([10.0, 1.0], [1.0, 10.0], ["a", "b"], seed=1)
    assert found.value == pytest.approx(1.0)
    assert found.low == pytest.approx(0.1)
    assert found.high == pytest.approx(10.0)
