from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.core.errors import UserError
from acclimate.model.forgetting.replay_order import progressive


@settings(deadline=None)
@given(
    flags=st.lists(st.booleans(), min_size=2, max_size=60),
    direction=st.sampled_from(["rising", "falling"]),
    seed=st.integers(0, 100),
)
def test_every_text_is_read_once_and_keeps_its_place_among_its_kind(
    flags: list[bool], direction: str, seed: int
) -> None:
    is_replay = np.array(flags)
    sizes = np.random.default_rng(seed).integers(1, 50, len(flags))
    if sizes[is_replay].sum() * 2 > sizes.sum():
        is_replay = ~is_replay
    order = progressive(is_replay, sizes, direction)  # type: ignore[arg-type]
    assert sorted(order) == list(range(len(flags)))
    for kind in (True, False):
        places = [place for place in order if is_replay[place] == kind]
        assert places == sorted(places)


def test_the_share_of_replay_rises_from_nothing_to_its_double() -> None:
    is_replay = np.arange(5000) % 5 == 0
    order = progressive(is_replay, np.full(5000, 100), "rising")
    tenths = is_replay[order].reshape(10, 500).mean(axis=1)
    assert tenths == pytest.approx(np.linspace(0.02, 0.38, 10), abs=0.01)


def test_falling_is_rising_backwards() -> None:
    is_replay = np.arange(1000) % 4 == 0
    falling = is_replay[progressive(is_replay, np.full(1000, 7), "falling")]
    rising = is_replay[progressive(is_replay, np.full(1000, 7), "rising")]
    assert falling.reshape(10, 100).mean(axis=1) == pytest.approx(rising.reshape(10, 100).mean(axis=1)[::-1], abs=0.02)


def test_without_replay_the_order_stays() -> None:
    assert progressive(np.zeros(4, dtype=bool), np.array([3, 1, 4, 1]), "rising").tolist() == [0, 1, 2, 3]


def test_more_than_half_replay_cannot_double() -> None:
    with pytest.raises(UserError, match=r"67% .* is rising"):
        progressive(np.array([True, True, False]), np.array([1, 1, 1]), "rising")
