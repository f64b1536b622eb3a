"""What the endpoint will hold: weights, adapters, and for every request the keys and values of tokens read so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

    from acclimate.core.params import PackageParams, QuantizeParams
    from acclimate.model.plan.machine import Machine
    from acclimate.model.plan.tracing import Traced


GGUF_BYTES = {"gguf-f16": 2.0, "gguf-q8_0": 34 / 32, "gguf-q4_k_m": 0.61}
"""Of a number as it is stored, and computed with: in half precision; in blocks of 32 with a scale in half precision; of
q4_k_m, whose types differ from layer to layer, what llama.cpp's table of forms gives for Llama 3.1 8B (4.89 bits)."""


@dataclass(frozen=True)
class Serving:
    """Bytes of the served model, over what its process holds once its libraries are loaded."""

    weights: int
    cache_per_request: int
    """Of one request that is as long as `package` allows."""
    tokens: int
    """Of such a request: prompt and answer."""
    adapter: int = 0
    """Each adapter beside the base; 0 where none is packaged so."""
    adapters: int = 0
    """In memory at a time, at most."""


SEATS = 3
"""Champion, challenger, and one on its way in or out: in memory besides the adapters of other domains."""


@dataclass(frozen=True)
class Beside:
    """What is packaged beside its base."""

    numbers: int
    """Of one adapter: those of the stages that are on, since what is composed of them has all of their ranks."""
    most: int
    """endpoint.most_adapters."""


def serving(
    config: PreTrainedConfig,
    model: Traced,
    package: PackageParams,
    quantize: QuantizeParams,
    machine: Machine,
    *,
    beside: Beside,
) -> Serving:
    """What will be loaded on this machine, by release/weights.py or by llama.cpp, and the cache of one request."""
    tokens = package.max_prompt_tokens + package.max_new_tokens
    if package.is_gguf:  # llama.cpp keeps keys and values in half precision
        return Serving(
            round(model.parameters * GGUF_BYTES[package.weights]), tokens * cache_per_token(config) * 2, tokens
        )
    cuda = machine.device == "cuda"
    width = 2 if cuda else 4
    linear = float(width)
    if cuda and package.weights == "quantized":  # a CPU unpacks
        linear = quantize.bits / 8 + (2 + quantize.bits / 8) / quantize.group_size
    weights = round(model.linear * linear) + (model.parameters - model.linear) * width
    cache = tokens * cache_per_token(config) * width
    if package.weights != "adapter":
        return Serving(weights, cache, tokens)
    return Serving(weights, cache, tokens, adapter=4 * beside.numbers, adapters=beside.most + SEATS)


def cache_per_token(config: PreTrainedConfig) -> int:
    """Numbers kept per token: keys and values of every layer (Pope et al. 2022, section 2.1).

    Where several heads share their keys, those count once (Ainslie et al. 2023).
    """
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return int(2 * config.num_hidden_layers * heads * size)
