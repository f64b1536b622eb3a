"""The endpoint's memory, by known answers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from transformers import LlamaConfig

from acclimate.core.params import PackageParams, QuantizeParams
from acclimate.model.plan.machine import Machine
from acclimate.model.plan.serving import Beside, cache_per_token, serving
from acclimate.model.plan.tracing import Traced

QUANTIZE = QuantizeParams(bits=4, group_size=128, calibration_texts=1, calibration_tokens=1, forms=[])
NONE = Beside(0, 0)
MODEL = Traced(parameters=1_280_000 + 1000, trainable=0, linear=1_280_000, peak={}, flops=0)


def package(weights: str) -> PackageParams:
    return PackageParams.model_validate({"weights": weights, "max_prompt_tokens": 30, "max_new_tokens": 10})


def test_llama_3_8b_keeps_128_kib_per_token_in_sixteen_bits() -> None:
    config = LlamaConfig(hidden_size=4096, num_hidden_layers=32, num_attention_heads=32, num_key_value_heads=8)
    assert 2 * cache_per_token(config) == 128 * 1024


@pytest.mark.parametrize(
    ("device", "weights", "bytes_of_weights", "width"),
    [
        ("cpu", "merged", 4 * 1_281_000, 4),
        ("cpu", "quantized", 4 * 1_281_000, 4),
        ("cuda", "merged", 2 * 1_281_000, 2),
        # Half a byte a weight, and per group a scale of two bytes and a zero of half a byte.
        ("cuda", "quantized", 640_000 + 10_000 * 2.5 + 2 * 1000, 2),
    ],
)
def test_a_cpu_unpacks_to_four_bytes_and_a_gpu_serves_in_two_or_in_four_bits(
    config: LlamaConfig, here: Machine, device: str, weights: str, bytes_of_weights: float, width: int
) -> None:
    found = serving(config, MODEL, package(weights), QUANTIZE, replace(here, device=device), beside=NONE)
    assert found.weights == bytes_of_weights
    assert found.tokens == 40
    assert found.cache_per_request == 40 * width * 2 * 3 * 2 * 16


def test_llama_cpp_computes_with_a_gguf_file_as_it_is_stored_on_any_machine(config: LlamaConfig, here: Machine) -> None:
    for device in ("cpu", "cuda"):
        found = serving(config, MODEL, package("gguf-q8_0"), QUANTIZE, replace(here, device=device), beside=NONE)
        assert found.weights == round(1_281_000 * (32 + 2) / 32)
        assert found.cache_per_request == 40 * 2 * 2 * 3 * 2 * 16


def test_adapters_of_other_domains_are_counted_beside_champion_challenger_and_one_on_its_way(
    config: LlamaConfig, here: Machine
) -> None:
    found = serving(config, MODEL, package("adapter"), QUANTIZE, here, beside=Beside(numbers=500, most=4))
    assert (found.weights, found.adapter, found.adapters) == (4 * 1_281_000, 2000, 7)
    merged = serving(config, MODEL, package("merged"), QUANTIZE, here, beside=Beside(numbers=500, most=4))
    assert (merged.adapter, merged.adapters) == (0, 0)
