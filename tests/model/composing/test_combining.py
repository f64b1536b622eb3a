from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.model.composing.changes import Change
from acclimate.model.composing.combining import combine, concatenated, dare, nearest, ties, truncated

LAYER = "model.layers.0.mlp.up_proj"


def change(seed: int, rank: int = 3, shape: tuple[int, int] = (12, 8)) -> Change:
    generator = torch.Generator().manual_seed(seed)
    return Change(torch.randn(shape[0], rank, generator=generator), torch.randn(rank, shape[1], generator=generator))


def dense(one: Change) -> torch.Tensor:
    return one.up @ one.down


@settings(deadline=None, max_examples=30)
@given(
    seeds=st.lists(st.integers(0, 1000), min_size=1, max_size=3),
    ranks=st.lists(st.integers(1, 5), min_size=3, max_size=3),
    weights=st.lists(st.floats(0, 3, width=32), min_size=3, max_size=3),
)
def test_cat_is_the_weighted_sum_and_its_rank_the_sum_of_the_ranks(
    seeds: list[int], ranks: list[int], weights: list[float]
) -> None:
    parts = [(change(seed, rank), weight) for seed, rank, weight in zip(seeds, ranks, weights, strict=False)]
    whole = concatenated(parts)
    assert whole.down.shape[0] == sum(ranks[: len(seeds)])
    expected = sum((weight * dense(one) for one, weight in parts), torch.zeros(12, 8))
    torch.testing.assert_close(dense(whole), expected, atol=1e-4, rtol=1e-4)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 1000), rank=st.integers(1, 6))
def test_a_truncated_change_is_the_nearest_of_its_rank(seed: int, rank: int) -> None:
    whole = change(seed, rank=6)
    nearer, held, total = truncated(whole, rank)
    values = torch.linalg.svdvals(dense(whole))
    assert nearer.down.shape[0] == rank
    missing = (dense(whole) - dense(nearer)).square().sum()
    torch.testing.assert_close(missing, values[rank:].square().sum(), atol=1e-3, rtol=1e-3)
    assert total - held == pytest.approx(float(missing), abs=2e-2, rel=1e-3)


def test_the_randomised_decomposition_is_as_near_as_the_exact_one() -> None:
    delta = dense(change(5, rank=12, shape=(40, 30)))
    nearer, held, total = nearest(delta, 4)
    values = torch.linalg.svdvals(delta)
    assert float((delta - dense(nearer)).square().sum()) == pytest.approx(float(values[4:].square().sum()), rel=1e-3)
    assert held / total == pytest.approx(float(values[:4].square().sum() / values.square().sum()), rel=1e-4)


def test_ties_keeps_the_largest_entries_and_averages_those_of_the_elected_sign() -> None:
    one = torch.tensor([[4.0, -3.0, 0.1, 2.0]])
    two = torch.tensor([[2.0, 5.0, 0.2, -0.1]])
    merged = ties([(one, 1.0), (two, 1.0)], density=0.5)
    # Entry 0: both positive, averaged; entry 1: +5 outweighs -3, which is left out; the rest was trimmed.
    assert merged.tolist() == [[3.0, 5.0, 0.0, 0.0]]


def test_dare_drops_at_random_and_keeps_the_expectation() -> None:
    torch.manual_seed(0)
    merged = dare([(torch.ones(200, 200), 0.5)], density=0.25)
    assert set(merged.flatten().tolist()) == {0.0, 2.0}
    assert float(merged.mean()) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("combination", ["linear", "ties", "dare"])
def test_what_is_not_exact_keeps_the_largest_rank_and_says_how_much_it_holds(combination: str) -> None:
    adapters = [{LAYER: change(1, rank=4)}, {LAYER: change(2, rank=2)}]
    combined, kept = combine(adapters, [1.0, 1.0], combination, density=0.9, seed=3)  # type: ignore[arg-type]
    assert combined[LAYER].down.shape[0] == 4
    assert 0.5 < kept < 1


def test_a_layer_that_only_one_adapter_changes_is_not_lost() -> None:
    other = "model.layers.1.mlp.up_proj"
    combined, kept = combine([{LAYER: change(1)}, {other: change(2)}], [1.0, 2.0], "cat", density=1.0, seed=3)
    torch.testing.assert_close(dense(combined[LAYER]), dense(change(1)))
    torch.testing.assert_close(dense(combined[other]), 2 * dense(change(2)))
    assert kept == 1


def test_the_same_seed_drops_the_same_entries_and_leaves_torchs_own_generator_alone() -> None:
    adapters = [{LAYER: change(1)}, {LAYER: change(2)}]
    torch.manual_seed(11)
    first, _ = combine(adapters, [1.0, 1.0], "dare", density=0.5, seed=3)
    after = torch.rand(1)
    second, _ = combine(adapters, [1.0, 1.0], "dare", density=0.5, seed=3)
    other, _ = combine(adapters, [1.0, 1.0], "dare", density=0.5, seed=4)
    torch.manual_seed(11)
    assert torch.equal(after, torch.rand(1))
    assert torch.equal(first[LAYER].up, second[LAYER].up)
    assert not torch.equal(first[LAYER].up, other[LAYER].up)


def test_adapters_that_change_nothing_combine_to_nothing() -> None:
    nothing = Change(torch.zeros(12, 3), torch.randn(3, 8))
    combined, kept = combine([{LAYER: nothing}], [1.0], "linear", density=1.0, seed=3)
    assert not dense(combined[LAYER]).any()
    assert kept == 1
