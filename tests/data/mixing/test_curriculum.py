"""curriculum: every stage gets its part of every kind, from easy to hard."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.data.mixing.candidates import KINDS
from acclimate.data.mixing.curriculum import STAGES, progression


def test_each_kind_goes_whole_into_the_stages() -> None:
    for kind in KINDS:
        assert sum(shares[kind] for shares in STAGES.values()) == pytest.approx(1)


def test_stages_follow_each_other_and_hold_their_share_of_every_kind() -> None:
    generator = np.random.default_rng(0)
    kinds, hardness = generator.integers(0, 3, 3_000), generator.random(3_000)
    sizes = generator.integers(50, 150, 3_000)
    order, stages = progression(kinds, hardness, sizes, generator.random(3_000))
    assert stages[order].tolist() == sorted(stages.tolist())
    for number, shares in enumerate(STAGES.values()):
        for place, kind in enumerate(KINDS):
            part = sizes[(stages == number) & (kinds == place)].sum() / sizes[kinds == place].sum()
            assert part == pytest.approx(shares[kind], abs=0.01)


def test_within_a_stage_a_kind_goes_from_easy_to_hard_and_kinds_alternate() -> None:
    kinds, hardness = np.tile([0, 1, 2], 1_000), np.random.default_rng(0).random(3_000)
    order, stages = progression(kinds, hardness, np.full(3_000, 100), np.zeros(3_000))
    for stage in range(len(STAGES)):
        rows = order[stages[order] == stage]
        for kind in range(3):
            assert np.all(np.diff(hardness[rows[kinds[rows] == kind]]) >= 0)
        half = len(rows) // 2
        assert (kinds[rows[:half]] == 2).mean() == pytest.approx((kinds[rows] == 2).mean(), abs=0.02)


@given(st.lists(st.tuples(st.integers(0, 2), st.floats(0, 100), st.integers(1, 5_000)), max_size=40))
def test_nobody_is_lost(texts: list[tuple[int, float, int]]) -> None:
    columns = [np.array([text[place] for text in texts]) for place in range(3)]
    order, stages = progression(columns[0], columns[1], columns[2].astype(np.int64), np.zeros(len(texts)))
    assert sorted(order.tolist()) == list(range(len(texts)))
    assert len(stages) == len(texts)
