"""The frozen base in four bits: what QLoRA trains an adapter beside (Dettmers et al. 2023, section 3).

    pack(model, found())        # every linear layer but the output: an eighth of its bytes
    held_bytes(model)           # 9_012_480

A weight is one of 16 values that are equally likely under a normal distribution (NormalFloat), times the largest of
its block of 64; those are kept in 8 bits, 256 under one scale of their own (double quantisation): 4.127 bits a
weight. It is unpacked for each product anew. What comes later knows nothing of it: an adapter is merged into the base
as it stands in its folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from typing import TYPE_CHECKING, Any

from acclimate.core.errors import UserError
from acclimate.core.libraries import take_up
from acclimate.model.training.sharding import own_part

if TYPE_CHECKING:
    import torch

BLOCK, SCALES = 64, 256
"""Weights under one scale, and scales under one of theirs: bitsandbytes' and the paper's."""


def linear_layers(model: Any) -> dict[str, torch.nn.Linear]:
    """By name, those that can be packed: all but the output, whose errors nothing behind it makes good."""
    import torch

    output = model.get_output_embeddings()
    layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, torch.nn.Linear)}
    return {name: layer for name, layer in layers.items() if layer is not output}


def pack(model: Any, device: torch.device) -> None:
    """Put the linear layers of `model` into four bits on `device`, in place and one by one: there are never two of it.

    Raises:
        UserError: if it has none.
    """
    import torch

    take_up("bitsandbytes")
    from bitsandbytes.nn import Linear4bit, Params4bit

    from acclimate.model.precision import has_bfloat16

    layers = linear_layers(model)
    if not layers:
        raise UserError(
            f"the base, a {type(model).__name__}, has no linear layers that could be packed",
            why="training.base_weights is nf4, and nothing would take less memory",
            fix="set training.base_weights to float32, or choose another base.model",
        )
    computed = torch.bfloat16 if has_bfloat16(device) else torch.float32
    for name, layer in layers.items():
        packed = Linear4bit(layer.in_features, layer.out_features, bias=False, compute_dtype=computed, device="meta")
        weight = Params4bit(layer.weight.data, requires_grad=False, quant_type="nf4", compress_statistics=True)
        packed.weight = weight.to(device)
        packed.bias = layer.bias
        # Else, evaluated once, it is laid out for inference and has no gradient (0.50, CPUs with AVX-512 bfloat16).
        packed.support_avx512bf16_for_cpu = False
        model.set_submodule(name, packed.train(layer.training))


@contextmanager
def known_to_peft(model: Any) -> Iterator[None]:
    """Let peft 0.21 see packed layers, if there are any, for what they are: it asks the model, not the layer.

    Only while adapters are put beside them: TRL 1.16 asks the same, and turns such a model's adapters into bfloat16.
    """
    from peft import import_utils

    if not any(hasattr(weight, "quant_state") for weight in model.parameters()):
        yield
        return
    import_utils.is_bnb_available.cache_clear()  # it may have been set aside when it was asked for first
    import_utils.is_bnb_4bit_available.cache_clear()
    model.is_loaded_in_4bit = True
    try:
        yield
    finally:
        del model.is_loaded_in_4bit


def held_bytes(model: torch.nn.Module) -> int:
    """That the frozen weights take in memory, with what is needed to unpack them."""
    tensors: list[torch.Tensor] = []
    for weight in model.parameters():
        if not weight.requires_grad:
            state = getattr(weight, "quant_state", None)
            tensors += [own_part(weight), *([] if state is None else _parts(state))]
    return sum({tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors}.values())


def _parts(state: Any) -> list[torch.Tensor]:
    return [state.absmax, state.code, state.offset, state.state2.absmax, state.state2.code]


def packed_bytes(weights: int) -> int:
    """That a layer of so many weights takes packed, without the tables of 16 and 256 values."""
    scales = ceil(weights / BLOCK)
    return ceil(weights / 2) + scales + 4 * ceil(scales / SCALES) + 4  # the scales are kept less their mean
