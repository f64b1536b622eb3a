from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.model.adapter import load_tokenizer
from acclimate.model.packing import cut, final_loss, stream, thinned, token_ids

token_lists = st.lists(st.lists(st.integers(0, 99), min_size=1, max_size=9), min_size=1, max_size=9)


def test_every_text_begins_with_bos_and_ends_with_eos(tiny_base: Path) -> None:
    tokenizer = load_tokenizer(tiny_base)
    for text, ids in zip(["one", "two words"], token_ids(tokenizer, ["one", "two words"]), strict=True):
        assert ids[0] == tokenizer.bos_token_id
        assert ids[-1] == tokenizer.eos_token_id
        assert tokenizer.decode(ids[1:-1]) == text


@given(token_lists)
def test_the_stream_is_the_texts_in_order(ids: list[list[int]]) -> None:
    assert stream(ids).tolist() == [token for text in ids for token in text]


@given(token_lists, st.integers(1, 5), st.integers(1, 5))
def test_a_short_stream_starts_again_and_a_long_one_is_cut(ids: list[list[int]], rows: int, length: int) -> None:
    tokens = stream(ids).tolist()
    repeated = (tokens * (rows * length))[: rows * length]
    assert cut(stream(ids), (rows, length)).flatten().tolist() == repeated


@given(st.lists(st.floats(0, 10), min_size=1, max_size=300), st.integers(1, 50))
def test_a_thinned_curve_ends_at_the_last_step_and_has_no_more_points_than_asked(
    losses: list[float], points: int
) -> None:
    curve = thinned(losses, points)
    assert len(curve) <= points
    assert curve[-1][0] == len(losses)
    assert min(losses) - 1e-4 <= min(loss for _, loss in curve)
    assert max(loss for _, loss in curve) <= max(losses) + 1e-4


def test_the_points_of_a_curve_are_means_of_their_windows() -> None:
    assert thinned([4.0, 2.0, 3.0, 1.0, 5.0], points=3) == [[2, 3.0], [4, 2.0], [5, 5.0]]


def test_the_final_loss_is_the_mean_of_the_last_tenth() -> None:
    assert final_loss([9.0] * 18 + [1.0, 2.0]) == pytest.approx(1.5)
    assert final_loss([3.0]) == 3.0
