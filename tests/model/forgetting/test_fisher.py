from __future__ import annotations

from pathlib import Path

import pytest
import torch

from acclimate.model.adapter import attach, load_base
from acclimate.model.forgetting.fisher import diagonal_fisher

TEXT = torch.arange(3, 3 + 8 * 16).view(8, 16)


@pytest.fixture(scope="module")
def fisher(tiny_base: Path, tiny_adapter: Path) -> dict[str, torch.Tensor]:
    return diagonal_fisher(attach(load_base(tiny_base), tiny_adapter), TEXT.repeat(8, 1), seed=1)


def test_every_adapted_layer_has_information_of_the_shape_of_its_weight(fisher: dict[str, torch.Tensor]) -> None:
    assert len(fisher) == 2 * 7
    assert fisher["model.layers.0.mlp.up_proj"].shape == (96, 32)
    assert all((values >= 0).all() and values.any() for values in fisher.values())


def test_it_predicts_how_far_the_model_moves_when_a_weight_does(
    fisher: dict[str, torch.Tensor], tiny_base: Path
) -> None:
    """KL(p || p moved) ≈ ½ F δ² for one weight: the definition, by brute force on the text's every position."""
    model = load_base(tiny_base)
    name = "model.layers.1.mlp.down_proj"
    place = divmod(int(fisher[name].argmax()), fisher[name].shape[1])
    weight = model.get_submodule(name).weight
    with torch.inference_mode():
        before = model(input_ids=TEXT).logits.double().log_softmax(-1)
    with torch.no_grad():
        weight[place] += 0.05
    with torch.inference_mode():
        after = model(input_ids=TEXT).logits.double().log_softmax(-1)
    moved = float((before.exp() * (before - after)).sum(-1).mean())
    assert float(fisher[name][place]) * 0.05**2 / 2 == pytest.approx(moved, rel=0.5)


def test_the_adapter_is_off_while_it_is_measured_and_the_model_is_left_as_it_was(
    fisher: dict[str, torch.Tensor], tiny_base: Path, tiny_adapter: Path
) -> None:
    model = attach(load_base(tiny_base), tiny_adapter)
    for name, weight in model.named_parameters():
        weight.requires_grad_("lora_" in name)
        if "lora_B" in name:
            weight.data.mul_(50)
    learns = {name for name, weight in model.named_parameters() if weight.requires_grad}
    again = diagonal_fisher(model, TEXT.repeat(8, 1), seed=1)
    assert all(torch.equal(again[name], fisher[name]) for name in fisher)
    assert learns == {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert all(weight.grad is None for weight in model.parameters())
