"""A base in four bits takes an eighth of the memory, is close to itself, and an adapter beside it learns."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig

from acclimate.core.errors import UserError
from acclimate.core.params import TrainingParams
from acclimate.model.adapter import load_base
from acclimate.model.training.adapting import adapter_beside, frozen
from acclimate.model.training.fused import fused
from acclimate.model.training.nf4 import held_bytes, linear_layers, pack, packed_bytes

CPU = torch.device("cpu")
IDS = torch.arange(3, 27).reshape(2, 12)


@pytest.fixture
def nf4(training_params: TrainingParams) -> TrainingParams:
    return training_params.model_copy(update={"base_weights": "nf4"})


@pytest.fixture
def wide() -> torch.nn.Module:
    """Mostly linear layers, as large models are."""
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=500, hidden_size=256, intermediate_size=704, num_hidden_layers=2, num_attention_heads=4
    )
    model: torch.nn.Module = AutoModelForCausalLM.from_config(config).eval()
    return model


def test_linear_layers_take_an_eighth_and_what_else_there_is_stays_as_it_is(wide: torch.nn.Module) -> None:
    linear = [layer.weight.numel() for layer in linear_layers(wide).values()]
    whole = held_bytes(wide.requires_grad_(False))
    assert whole == 4 * sum(weight.numel() for weight in wide.parameters())
    pack(wide, CPU)
    rest = whole - 4 * sum(linear)
    tables = 4 * 16 + 4 * 256  # the values that four and eight bits stand for
    packed = sum(packed_bytes(layer) for layer in linear)
    assert held_bytes(wide) - rest == pytest.approx(packed, abs=tables * len(linear))
    assert 8 * packed / sum(linear) == pytest.approx(4.127, abs=0.02)  # bits a weight: Dettmers et al. 2023, section 3
    assert len(linear_layers(wide)) == len(linear) == 14


def test_a_packed_weight_is_close_to_itself_and_the_output_is_not_packed(wide: torch.nn.Module) -> None:
    layers = linear_layers(wide)
    before = {name: layer.weight.detach().clone() for name, layer in layers.items()}
    head = wide.get_output_embeddings().weight.clone()  # type: ignore[operator]  # a transformers model
    pack(wide, CPU)
    from bitsandbytes.functional import dequantize_4bit  # until then it may be set aside

    for name, layer in linear_layers(wide).items():
        weight = dequantize_4bit(layer.weight.data, layer.weight.quant_state)  # type: ignore[attr-defined]
        assert (weight - before[name]).norm() < 0.12 * before[name].norm()
    assert torch.equal(wide.get_output_embeddings().weight, head)  # type: ignore[operator]


def test_two_packings_are_the_same_to_the_byte(tiny_base: Path) -> None:
    models = [load_base(tiny_base), load_base(tiny_base)]
    for model in models:
        pack(model, CPU)
    once, again = (model(input_ids=IDS).logits for model in models)
    assert torch.equal(once, again)


def test_an_adapter_beside_packed_layers_is_float32_and_left_to_peft(tiny_base: Path, nf4: TrainingParams) -> None:
    model = adapter_beside(frozen(load_base(tiny_base), nf4), nf4)
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    assert {weight.dtype for weight in trained} == {torch.float32}
    assert len(trained) == 2 * 14
    assert not hasattr(model, "is_loaded_in_4bit"), "TRL would turn its adapters into bfloat16"
    with fused(model) as layers:
        assert layers == 0


def test_gradients_are_those_beside_the_same_weights_unpacked(tiny_base: Path, nf4: TrainingParams) -> None:
    """Against a float32 base whose weights were rounded to four bits beforehand."""
    packed, rounded = load_base(tiny_base), load_base(tiny_base)
    pack(packed, CPU)
    from bitsandbytes.functional import dequantize_4bit  # until then it may be set aside

    with torch.no_grad():
        for name, layer in linear_layers(packed).items():
            weight = layer.weight
            unpacked = dequantize_4bit(weight.data, weight.quant_state)  # type: ignore[attr-defined]
            rounded.get_submodule(name).weight.copy_(unpacked)
    found = []
    for model in (packed, rounded):
        torch.manual_seed(5)
        adapted = adapter_beside(model, nf4).train()
        for name, weight in adapted.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight, std=0.05)
        loss = adapted(input_ids=IDS, labels=IDS).loss
        loss.backward()
        grown = {name: one.grad for name, one in adapted.named_parameters() if one.grad is not None}
        found.append({"": loss.detach(), **grown})
    assert found[0].keys() == found[1].keys()
    for name, value in found[0].items():
        torch.testing.assert_close(value, found[1][name], rtol=2e-2, atol=1e-3)


def test_a_base_without_linear_layers_is_refused(nf4: TrainingParams) -> None:
    from transformers import GPT2Config

    config = GPT2Config(vocab_size=50, n_positions=16, n_embd=16, n_layer=1, n_head=2)
    with pytest.raises(UserError, match="has no linear layers that could be packed"):
        frozen(AutoModelForCausalLM.from_config(config), nf4)
