from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.model.adapter import attach, load_base
from acclimate.model.composing.changes import Change, read_changes
from acclimate.model.forgetting.penalties import changes_of, ewc, l2_sp


def change(seed: int, rank: int) -> Change:
    generator = torch.Generator().manual_seed(seed)
    return Change(
        torch.randn(6, rank, generator=generator, dtype=torch.float64),
        torch.randn(rank, 5, generator=generator, dtype=torch.float64),
    )


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 1000), rank=st.integers(1, 4), weight=st.floats(0, 10))
def test_l2_sp_is_half_the_squared_distance_from_the_start(seed: int, rank: int, weight: float) -> None:
    layers = {"a": change(seed, rank), "b": change(seed + 1, rank)}
    squares = sum(float((one.up @ one.down).square().sum()) for one in layers.values())
    assert float(l2_sp(layers, weight)) == pytest.approx(weight / 2 * squares, rel=1e-9)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 1000), weight=st.floats(0, 10))
def test_ewc_with_equal_information_everywhere_is_l2_sp(seed: int, weight: float) -> None:
    layers = {"a": change(seed, 3)}
    even = {"a": torch.full((6, 5), 2.0, dtype=torch.float64)}
    assert float(ewc(layers, even, weight)) == pytest.approx(2 * float(l2_sp(layers, weight)), rel=1e-9)


def test_ewc_charges_a_change_where_the_information_is() -> None:
    layers = {"a": Change(torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0, 0.5]]))}  # changes 3, 0.5, 6, 1
    fisher = {"a": torch.tensor([[1.0, 0.0], [0.5, 0.0]])}
    assert float(ewc(layers, fisher, 2.0)) == 1.0 * 9 + 0.5 * 36


def test_the_changes_of_a_model_are_those_of_its_adapter_and_can_be_learnt_through(
    tiny_base: Path, tiny_adapter: Path
) -> None:
    model = attach(load_base(tiny_base), tiny_adapter)
    for name, weight in model.named_parameters():
        weight.requires_grad_("lora_" in name)
    found = changes_of(model)
    stored = read_changes(tiny_adapter)
    assert found.keys() == stored.keys()
    for name, one in stored.items():
        change = found[name]
        assert isinstance(change, Change)
        torch.testing.assert_close(change.up @ change.down, one.up @ one.down)
    l2_sp(found, 1.0).backward()  # type: ignore[no-untyped-call]
    module = model.get_base_model().get_submodule("model.layers.0.mlp.up_proj")
    delta = module.get_delta_weight("default").detach()
    # d/dB of α/2 ‖s BA‖² is α s (s BA) Aᵀ.
    expected = module.scaling["default"] * delta @ module.lora_A["default"].weight.detach().mT
    torch.testing.assert_close(module.lora_B["default"].weight.grad, expected)
