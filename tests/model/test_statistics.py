from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from acclimate.model.statistics import (
    bootstrap_totals,
    cluster_totals,
    excess_p,
    holm,
    mean_and_error,
    percentile_interval,
    ratio_bounds,
    sign_flip_p,
    wilson_interval,
)


def enumerated(differences: list[float]) -> float:
    """The definition, by listing every sign pattern."""
    observed = sum(differences)
    sums = [sum(s * abs(d) for s, d in zip(signs, differences, strict=True)) for signs in signs_of(differences)]
    return float(np.mean([value >= observed - 1e-9 for value in sums]))


def signs_of(differences: list[float]) -> list[tuple[int, ...]]:
    return list(product((-1, 1), repeat=len(differences)))


def test_wilson_interval_of_newcombes_example() -> None:
    # Newcombe 1998, table I: 81 of 263, score method.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)


@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_interval_holds_the_share_and_stays_between_0_and_1(counts: tuple[int, int]) -> None:
    low, high = wilson_interval(*counts)
    assert 0 <= low <= counts[0] / counts[1] + 1e-12
    assert counts[0] / counts[1] - 1e-12 <= high <= 1
    assert high > low


def test_601_items_are_within_four_points() -> None:
    low, high = wilson_interval(300, 601)
    assert (high - low) / 2 < 0.04


@given(st.integers(0, 200), st.integers(0, 200), st.integers(0, 50))
def test_clusters_of_one_item_give_the_exact_mcnemar_test(won: int, lost: int, tied: int) -> None:
    totals = np.array([1.0] * won + [-1.0] * lost + [0.0] * tied)
    expected = binomtest(won, won + lost, alternative="greater").pvalue if won + lost else 1.0
    assert sign_flip_p(totals, resamples=200, seed=0) == pytest.approx(expected, rel=1e-9)


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=10))
def test_whole_numbers_are_exact_for_any_cluster_sizes(differences: list[int]) -> None:
    p = sign_flip_p(np.array(differences, dtype=float), resamples=200, seed=0)
    assert p == pytest.approx(enumerated([float(d) for d in differences]))


@given(st.lists(st.integers(-30, 30).map(lambda tenths: tenths / 10), min_size=1, max_size=8))
def test_few_clusters_are_enumerated(differences: list[float]) -> None:
    p = sign_flip_p(np.array(differences), resamples=200, seed=0)
    assert p == pytest.approx(enumerated(differences))


def test_drawn_patterns_come_close_to_the_exact_answer() -> None:
    whole = np.array([3, -1, 2, -2, 1, 1, -3, 2, 4, -1, 2, 1, -2, 3, 1, -1, 2, 1, 1, -2], dtype=float)
    exact = sign_flip_p(whole, resamples=200, seed=0)
    drawn = sign_flip_p(whole * 0.3, resamples=20_000, seed=5)
    assert drawn == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 20_000))


def test_a_drawn_p_is_never_zero() -> None:
    assert sign_flip_p(np.full(60, 0.5), resamples=999, seed=1) == 1 / 1000


def test_repeating_every_item_within_its_cluster_is_no_new_evidence() -> None:
    differences = np.array([1.0, 1, 0, 1, -1, 1, 1, 1])
    clusters = [f"c{i}" for i in range(8)]
    once = sign_flip_p(cluster_totals(differences, clusters), resamples=200, seed=0)
    thrice = sign_flip_p(cluster_totals(np.tile(differences, 3), clusters * 3), resamples=200, seed=0)
    assert thrice == once
    assert thrice > binomtest(18, 21, alternative="greater").pvalue


def test_no_difference_at_all_is_certain_luck() -> None:
    assert sign_flip_p(np.zeros(40), resamples=200, seed=0) == 1.0


def test_totals_are_per_cluster_in_order_of_appearance() -> None:
    values = np.array([[1.0, 10], [2, 20], [4, 40]])
    assert cluster_totals(values, ["b", "a", "b"]).tolist() == [[5, 50], [2, 20]]


def test_the_bootstrap_draws_as_many_clusters_as_there_are_and_repeats_itself() -> None:
    totals = np.column_stack([np.arange(7.0), np.ones(7)])
    drawn = bootstrap_totals(totals, resamples=300, seed=3)
    assert np.all(drawn[:, 1] == 7)
    assert np.array_equal(drawn, bootstrap_totals(totals, resamples=300, seed=3))
    assert not np.array_equal(drawn, bootstrap_totals(totals, resamples=300, seed=4))


def test_the_interval_of_a_mean_is_about_two_standard_errors() -> None:
    values = np.random.default_rng(0).normal(5, 2, size=400)
    means = bootstrap_totals(values[:, None], resamples=4000, seed=1)[:, 0] / 400
    low, high = percentile_interval(means)
    error = 1.96 * values.std() / np.sqrt(400)
    assert (low, high) == pytest.approx((values.mean() - error, values.mean() + error), abs=0.1 * error)
    mean, standard = mean_and_error(np.column_stack([values, np.ones(400)]))
    assert (mean, 1.96 * standard) == pytest.approx((values.mean(), error), rel=0.01)


def test_clustered_items_widen_the_interval() -> None:
    values = np.repeat(np.random.default_rng(2).normal(size=50), 8)
    by_item = bootstrap_totals(values[:, None], resamples=2000, seed=1)[:, 0]
    by_cluster = bootstrap_totals(cluster_totals(values, [str(i // 8) for i in range(400)]), resamples=2000, seed=1)[
        :, 0
    ]
    narrow, wide = np.subtract(*percentile_interval(by_item)), np.subtract(*percentile_interval(by_cluster))
    assert wide / narrow == pytest.approx(np.sqrt(8), rel=0.15)


def test_holm_multiplies_by_how_many_are_left() -> None:
    # Times 4, 3, 2, 1 in order of size, never below the one before.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_between_the_raw_p_and_bonferronis_and_keeps_the_order(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(p <= after <= min(1, len(p_values) * p) for p, after in zip(p_values, adjusted, strict=True))
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    assert [adjusted[i] for i in order] == sorted(adjusted)


def test_one_hypothesis_is_not_corrected() -> None:
    assert holm([0.03]) == [0.03]


@given(st.integers(0, 10**6), st.floats(0.5, 1.2))
def test_a_bound_is_the_share_whose_p_is_alpha(seed: int, truth: float) -> None:
    random = np.random.default_rng(seed)
    whole = random.integers(1, 5, 60) + random.random(60)
    totals = np.column_stack([truth * whole + random.normal(0, 0.3, 60), whole])
    low, high = ratio_bounds(totals, 0.025)
    assert low <= totals[:, 0].sum() / totals[:, 1].sum() <= high
    assert excess_p(totals, low) == pytest.approx(0.025, rel=1e-6)
    assert 1 - excess_p(totals, high) == pytest.approx(0.025, rel=1e-6)


def test_a_ratio_to_what_may_be_zero_has_no_bounds() -> None:
    assert ratio_bounds(np.array([[1.0, 1], [0, -1], [2, 0.1]]), 0.05) == (-np.inf, np.inf)
    assert ratio_bounds(np.array([[1.0, 1]]), 0.05) == (-np.inf, np.inf)
    assert excess_p(np.array([[1.0, 1]]), 0.5) == 1.0


def test_equal_models_keep_everything_for_certain() -> None:
    totals = np.array([[1.0, 1], [0, 0], [3, 3]] * 20)
    assert ratio_bounds(totals, 0.05) == pytest.approx((1, 1))
    assert excess_p(totals, 1.0) == 1.0


def test_one_cluster_says_nothing_of_others() -> None:
    assert mean_and_error(np.array([[3.0, 4]])) == (0.75, np.inf)
