"""A trace counts what a step of this adapter on this base really takes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig

from acclimate.core.params import TrainingParams
from acclimate.model.plan.alive import Alive
from acclimate.model.plan.base_config import cut_down
from acclimate.model.plan.tracing import DEEP, Pass, one_pass, step_of_all_layers, traced
from acclimate.model.precision import has_bfloat16
from acclimate.model.training.adapting import adapter_beside, frozen
from acclimate.model.training.fused import fused
from acclimate.model.training.lora import with_adapter
from acclimate.model.training.nf4 import held_bytes, linear_layers

ONE = Pass(rows=2, tokens=32, learned=1.0, passes=1)
FLOAT32 = pytest.mark.skipif(has_bfloat16(torch.device("cpu")), reason="the count by hand is for float32")


@pytest.mark.parametrize("tied", [True, False])
def test_all_weights_are_counted_with_the_copy_that_is_trained(
    config: LlamaConfig, training_params: TrainingParams, tied: bool
) -> None:
    config.tie_word_embeddings = tied
    full = training_params.model_copy(update={"strategy": "full"})
    base = AutoModelForCausalLM.from_config(config)
    parameters, linear = sum(weight.numel() for weight in base.parameters()), _linear(base)
    found = traced(config, full, ONE)
    assert (found.parameters, found.trainable) == (parameters, parameters)
    assert found.linear == sum(layer.weight.numel() for layer in linear)
    model = adapter_beside(base, full).train()
    assert found.peak["weights"] + found.peak["adapter"] == sum(
        t.nbytes for t in (*model.parameters(), *model.buffers())
    )
    assert found.peak["optimiser"] == 2 * 4 * parameters
    with Alive(model, config.vocab_size) as alive:
        one_pass(model, ONE)
    parts = ("activations", "logits and loss", "gradients")
    assert sum(found.peak[part] for part in parts) == pytest.approx(alive.most.total, rel=0.01)


def test_parameters_are_those_of_the_trained_model(config: LlamaConfig, training_params: TrainingParams) -> None:
    found = traced(config, training_params, ONE)
    base = AutoModelForCausalLM.from_config(config)
    assert found.parameters == sum(weight.numel() for weight in base.parameters())
    assert found.linear == sum(layer.weight.numel() for layer in _linear(base))
    assert found.trainable == with_adapter(base, training_params).get_nb_trainable_parameters()[0]


def test_weights_adapter_and_optimiser_take_what_they_do_in_training(
    config: LlamaConfig, training_params: TrainingParams
) -> None:
    model = adapter_beside(AutoModelForCausalLM.from_config(config), training_params).train()
    optimizer = torch.optim.AdamW([weight for weight in model.parameters() if weight.requires_grad])
    one_pass(model, ONE)
    optimizer.step()
    moments = [value for state in optimizer.state.values() for value in state.values() if value.dim()]
    found = traced(config, training_params, ONE).peak
    kept = (*model.parameters(), *model.buffers())
    assert found["weights"] + found["adapter"] == sum(tensor.nbytes for tensor in kept)
    assert found["optimiser"] == sum(moment.nbytes for moment in moments)


@FLOAT32
@pytest.mark.parametrize("tokens", [32, 48])
def test_a_layer_keeps_what_is_counted_by_hand(
    config: LlamaConfig, training_params: TrainingParams, tokens: int
) -> None:
    one = replace(ONE, tokens=tokens)
    more, less = (traced(cut_down(config, layers), training_params, one).peak["activations"] for layers in (3, 2))
    h, k, i, r, a = 64, 32, 96, training_params.rank, 4
    assert more - less == 4 * one.rows * tokens * (6 * h + 2 * k + 4 * i + 7 * r + a + 2)


@FLOAT32
def test_a_checkpointed_layer_keeps_its_input_alone(config: LlamaConfig, training_params: TrainingParams) -> None:
    checkpointed = training_params.model_copy(update={"gradient_checkpointing": True})
    more, less = (traced(cut_down(config, layers), checkpointed, ONE).peak for layers in (3, 2))
    kept = sum(more[part] - less[part] for part in ("activations", "logits and loss", "gradients"))
    assert kept == 4 * ONE.rows * ONE.tokens * config.hidden_size


def test_a_base_in_four_bits_takes_what_it_does_in_training(
    config: LlamaConfig, training_params: TrainingParams
) -> None:
    nf4 = training_params.model_copy(update={"base_weights": "nf4"})
    base = AutoModelForCausalLM.from_config(config)
    layers = len(linear_layers(base))
    model = adapter_beside(frozen(base, nf4), nf4).train()
    with Alive(model, config.vocab_size) as alive:
        one_pass(model, ONE)
    planned, whole = traced(config, nf4, ONE), traced(config, training_params, ONE)
    tables = 4 * (16 + 256)
    buffers = sum(buffer.nbytes for buffer in model.buffers())
    assert planned.peak["weights"] == pytest.approx(held_bytes(model) + buffers, abs=layers * tables)
    assert planned.peak["weights"] < whole.peak["weights"] - 3 * planned.linear
    parts = ("activations", "logits and loss", "gradients")
    assert sum(planned.peak[part] for part in parts) == pytest.approx(alive.most.total, rel=0.05)
    assert (planned.parameters, planned.trainable) == (whole.parameters, whole.trainable)


def test_fake_tensors_take_what_real_ones_do(config: LlamaConfig, training_params: TrainingParams) -> None:
    checkpointed = training_params.model_copy(update={"gradient_checkpointing": True})
    model = adapter_beside(AutoModelForCausalLM.from_config(config), checkpointed).train()
    with fused(model), Alive(model, config.vocab_size) as alive:
        one_pass(model, ONE)
    planned = traced(config, checkpointed, ONE)
    parts = ("activations", "logits and loss", "gradients")
    assert sum(planned.peak[part] for part in parts) == alive.most.total
    assert planned.flops == alive.flops


def test_many_layers_are_drawn_out_from_a_few(training_params: TrainingParams, config: LlamaConfig) -> None:
    deep = LlamaConfig.from_dict({**config.to_dict(), "num_hidden_layers": DEEP + 3})
    whole, drawn_out = step_of_all_layers(deep, training_params, ONE), traced(deep, training_params, ONE)
    parts = ("activations", "logits and loss", "gradients")
    assert sum(drawn_out.peak[part] for part in parts) == whole.made.total
    assert drawn_out.flops == whole.flops


@FLOAT32
def test_logits_are_there_three_times_at_the_peak(config: LlamaConfig, training_params: TrainingParams) -> None:
    wide = LlamaConfig.from_dict({**config.to_dict(), "vocab_size": 5000})  # as with real vocabularies, they are most
    half, whole = (traced(wide, training_params, replace(ONE, learned=share)).peak for share in (0.5, 1.0))
    assert whole["logits and loss"] == 3 * 4 * ONE.rows * (ONE.tokens - 1) * 5000
    assert half["logits and loss"] == whole["logits and loss"] / 2


def test_gradients_of_earlier_passes_are_there_at_the_peak(
    config: LlamaConfig, training_params: TrainingParams
) -> None:
    single, several = (traced(config, training_params, replace(ONE, passes=passes)) for passes in (1, 3))
    assert single.peak["gradients"] < 4 * single.trainable
    assert several.peak["gradients"] == 4 * several.trainable
    assert single.flops == several.flops


def test_texts_kept_apart_cost_a_mask(config: LlamaConfig, training_params: TrainingParams) -> None:
    plain, apart = (sum(traced(config, training_params, replace(ONE, separate=s)).peak.values()) for s in (False, True))
    assert apart >= plain + ONE.rows * ONE.tokens**2


def _linear(base: torch.nn.Module) -> list[torch.nn.Linear]:
    layers = [layer for layer in base.modules() if isinstance(layer, torch.nn.Linear)]
    return layers[:-1]  # the last is the output
