"""A fused LoRA layer is peft's own, and what cannot be fused is left to peft."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from peft import PeftModel

from acclimate.core.params import TrainingParams
from acclimate.model.adapter import load_base
from acclimate.model.training.fused import fused
from acclimate.model.training.lora import with_adapter

IDS = torch.arange(3, 27).reshape(2, 12)


def adapted(base: Path, params: TrainingParams, **changes: object) -> PeftModel:
    """The tiny base with an adapter that already changes it: a fresh one's B is 0, and so are A's gradients."""
    torch.manual_seed(5)
    model = with_adapter(load_base(base), params.model_copy(update=changes))
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.05)
    return model.train()


def gradients(model: PeftModel) -> dict[str, torch.Tensor]:
    """Of the loss, by weight; the loss itself under ''."""
    model.zero_grad()
    loss = model(input_ids=IDS, labels=IDS).loss
    loss.backward()
    found = {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}
    return {"": loss.detach(), **found}


@pytest.mark.parametrize("strategy", ["lora", "rslora"])
def test_loss_and_gradients_are_pefts(tiny_base: Path, training_params: TrainingParams, strategy: str) -> None:
    model = adapted(tiny_base, training_params, strategy=strategy)
    ordinary = gradients(model)
    with fused(model) as layers:
        one_step = gradients(model)
    assert layers == 14  # seven linear layers in each of two blocks
    assert one_step.keys() == ordinary.keys()
    for name, value in ordinary.items():
        torch.testing.assert_close(one_step[name], value, rtol=1e-4, atol=1e-6)


def test_afterwards_peft_computes_again(tiny_base: Path, training_params: TrainingParams) -> None:
    model = adapted(tiny_base, training_params)
    before = gradients(model)
    with pytest.raises(RuntimeError, match="stopped"), fused(model):
        raise RuntimeError("stopped")
    assert all("forward" not in vars(layer) for layer in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in gradients(model).items())


@pytest.mark.parametrize("changes", [{"strategy": "dora"}, {"dropout": 0.5}])
def test_what_is_more_than_plain_lora_is_left_alone(
    tiny_base: Path, training_params: TrainingParams, changes: dict[str, object]
) -> None:
    with fused(adapted(tiny_base, training_params, **changes)) as layers:
        assert layers == 0


def test_in_mixed_precision_peft_computes(tiny_base: Path, training_params: TrainingParams) -> None:
    model = adapted(tiny_base, training_params)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        ordinary = gradients(model)
        with fused(model):
            same = gradients(model)
    assert all(torch.equal(value, ordinary[name]) for name, value in same.items())


def test_with_the_adapter_switched_off_only_the_base_speaks(tiny_base: Path, training_params: TrainingParams) -> None:
    model = adapted(tiny_base, training_params)
    with torch.no_grad(), fused(model):
        with model.disable_adapter():
            off = model(input_ids=IDS).logits
        on = model(input_ids=IDS).logits
    torch.testing.assert_close(off, load_base(tiny_base)(input_ids=IDS).logits)
    assert not torch.allclose(on, off)
