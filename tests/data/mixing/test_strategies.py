"""strategies: shares stay within their bounds, weights decide who is taken first, grades keep their quotas."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.core.errors import UserError
from acclimate.core.params import MixParams
from acclimate.data.mixing.candidates import KINDS, Pool
from acclimate.data.mixing.strategies import BOUNDS, adapted, choose, ranking

SHARES = dict(zip(KINDS, (0.4, 0.4, 0.2), strict=True))


def pool(count: int, *, quality: float = 0.9, size: int = 100, grades: int = 0, density: float = 0.1) -> Pool:
    chances = np.random.default_rng(0).random(count)
    return Pool(
        facts=pa.table({"id": [f"{number:06d}" for number in range(count)]}),
        places=np.arange(count),
        chances=chances,
        bytes=np.full(count, size),
        quality=np.full(count, quality),
        grades=np.full(count, grades, dtype=np.int8),
        densities=np.full(count, density),
    )


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3), st.floats(0.05, 0.9), st.floats(0.05, 0.9))
def test_adapted_shares_sum_to_one_within_their_bounds(means: list[float], first: float, second: float) -> None:
    raw = np.array([first, second, 0.3])
    shares = dict(zip(KINDS, (raw / raw.sum()).tolist(), strict=True))
    moved, _ = adapted(shares, dict(zip(KINDS, means, strict=True)), BOUNDS)
    assert sum(moved.values()) == pytest.approx(1)
    for kind, share in moved.items():
        assert BOUNDS[kind][0] - 1e-9 <= share <= BOUNDS[kind][1] + 1e-9


def test_equal_quality_moves_no_share_and_better_texts_gain_some() -> None:
    same, _ = adapted(SHARES, dict.fromkeys(KINDS, 0.8), BOUNDS)
    assert same == pytest.approx(SHARES)
    moved, said = adapted(SHARES, {**dict.fromkeys(KINDS, 0.8), "domain_documents": 0.9}, BOUNDS)
    assert 0.4 < moved["domain_documents"] <= 0.55
    assert "domain_documents 0.4 → " in said


def test_unknown_quality_counts_as_the_mean_of_the_others() -> None:
    known, _ = adapted(SHARES, dict(zip(KINDS, (0.8, 0.6, 0.7), strict=True)), BOUNDS)
    unknown, _ = adapted(SHARES, dict(zip(KINDS, (0.8, 0.6, None), strict=True)), BOUNDS)
    assert unknown == pytest.approx(known)


def test_one_kind_alone_cannot_stay_within_its_bounds() -> None:
    with pytest.raises(UserError, match=r"cannot make a whole of domain_documents: at most 0\.55"):
        adapted(dict(zip(KINDS, (1.0, 0.0, 0.0), strict=True)), dict.fromkeys(KINDS, 0.8), BOUNDS)


def test_a_text_of_quality_one_is_e_times_as_likely_first_as_one_of_four_fifths(mix_params: MixParams) -> None:
    two = pool(200_000)
    two.quality[::2], two.quality[1::2] = 1.0, 0.8
    first = ranking(two, mix_params.model_copy(update={"strategy": "quality_weighted"}))[:2_000]
    good = int((first % 2 == 0).sum())
    assert good / (2_000 - good) == pytest.approx(np.e, rel=0.15)


def test_dense_texts_are_as_rare_among_the_first_as_they_are_dense(mix_params: MixParams) -> None:
    two = pool(100_000)
    two.densities[:90_000], two.densities[90_000:] = 0.9, 0.1
    first = ranking(two, mix_params.model_copy(update={"diverse": True}))[:2_000]
    assert (first < 90_000).mean() == pytest.approx(0.5, abs=0.05), "90,000 alike weigh as much as 10,000 others"


@pytest.mark.parametrize("diverse", [False, True])
def test_without_weights_the_order_is_that_of_the_draws(diverse: bool, mix_params: MixParams) -> None:
    one = pool(1_000)
    order = ranking(one, mix_params.model_copy(update={"diverse": diverse, "strategy": "quality_weighted"}))
    assert order.tolist() == np.argsort(one.chances, kind="stable").tolist()


@given(st.integers(0, 60), st.integers(0, 40_000))
def test_what_is_chosen_fits_and_one_more_would_not(mix_params: MixParams, count: int, size: int) -> None:
    one = pool(count, size=700)
    chosen, _ = choose(one, size, mix_params)
    assert len(chosen) == min(count, size // 700)
    assert len(set(chosen.tolist())) == len(chosen)


def test_a_text_too_long_for_its_kind_does_not_empty_it(mix_params: MixParams) -> None:
    one = pool(100, size=700)
    one.bytes[:] = np.where(np.arange(100) % 10 == 0, 600_000, 700)
    chosen, notes = choose(one, 35_000, mix_params)
    assert one.bytes[chosen].tolist() == [700] * 50
    assert notes == []


@pytest.mark.parametrize("balanced", [False, True])
def test_a_kind_that_stays_below_its_share_for_want_of_short_texts_is_noted(
    balanced: bool, mix_params: MixParams
) -> None:
    one = pool(10, size=3_000, grades=1)
    chosen, notes = choose(one, 5_000, mix_params.model_copy(update={"balance_difficulty": balanced}))
    assert len(chosen) == 1
    assert notes[-1] == "3,000 of 5,000 bytes: every text that is left is longer than what they lack"


def test_grades_are_balanced_where_there_are_enough_of_each(mix_params: MixParams) -> None:
    one = pool(3_000)
    one.grades[:] = np.repeat([0, 1, 2], 1_000)
    chosen, notes = choose(one, 100_000, mix_params.model_copy(update={"balance_difficulty": True}))
    assert np.bincount(one.grades[chosen]).tolist() == [300, 500, 200]
    assert notes == []


def test_what_a_scarce_grade_lacks_the_others_give_and_a_note_says_it(mix_params: MixParams) -> None:
    one = pool(3_000)
    one.grades[:] = 1
    one.grades[:100], one.grades[100:2_000] = 2, 0
    chosen, notes = choose(one, 100_000, mix_params.model_copy(update={"balance_difficulty": True}))
    assert np.bincount(one.grades[chosen]).tolist() == pytest.approx([337, 562, 100], abs=1)
    assert notes == ["10,000 bytes of hard texts, 20,000 needed: the other grades fill the gap"]


def test_a_hundred_thousand_candidates_are_ranked_at_once(mix_params: MixParams) -> None:
    big = pool(100_000)
    chosen, _ = choose(big, 10**9, mix_params.model_copy(update={"balance_difficulty": True, "diverse": True}))
    assert len(chosen) == 100_000
