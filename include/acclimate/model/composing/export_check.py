"""Whether a merged model gives the logits of the base with its adapters beside it, and where it does not.

    difference = merged_difference(reference, load_adapted(base, composed), sequences)
    difference.logits               # 1.9e-05

Merging rounds: W + BA is stored once, while beside it BA x is added to W x. In float32 that costs the last
digits; a wrong scaling, a lost layer or a weight that two layers share costs more, and says in which layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.core.errors import UserError
from acclimate.model.adapter import attach, load_base

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel

MAX_LOGIT_DIFFERENCE = 1e-3
"""Absolute. It moves no log-probability by more than 0.002 nats; float32 rounding stays some hundred times below."""


@dataclass(frozen=True)
class Difference:
    """How far two models are apart on the same tokens."""

    logits: float
    """The largest absolute difference of a logit."""
    layer: str
    """The adapted layer whose outputs differ most for the same inputs."""
    layer_output: float
    """By how much, absolute."""
    tokens: int


def beside(base: Path, adapters: Sequence[tuple[Path, float]]) -> PeftModel:
    """The base with every adapter (its folder and its weight) active beside its weights.

    Raises:
        UserError: if a folder does not hold what it should, or the first adapter was trained on another base.
    """
    from peft.tuners.lora import LoraLayer

    model = attach(load_base(base), adapters[0][0])
    weights = {"default": adapters[0][1]}
    for number, (folder, weight) in enumerate(adapters[1:], start=2):
        model.load_adapter(str(folder), adapter_name=f"adapter_{number}")
        weights[f"adapter_{number}"] = weight
    model.base_model.set_adapter(list(weights))
    for module in model.modules():
        if isinstance(module, LoraLayer):
            for name in module.scaling:
                module.set_scale(name, weights[name])
    return model.eval()


def merged_difference(reference: PeftModel, merged: PreTrainedModel, sequences: torch.Tensor) -> Difference:
    """The largest differences between `reference`, its adapters beside it, and `merged` on `sequences` [n, seq]."""
    import torch
    from peft.tuners.lora import LoraLayer
    from peft.utils.other import ModulesToSaveWrapper

    outputs: dict[str, float] = {}

    def comparing(name: str) -> Any:
        other = merged.get_submodule(name)

        def compare(_: Any, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
            outputs[name] = max(outputs.get(name, 0.0), float((other(inputs[0]) - output).abs().max()))

        return compare

    hooks = [
        module.register_forward_hook(comparing(name))
        for name, module in reference.get_base_model().named_modules()
        if isinstance(module, LoraLayer | ModulesToSaveWrapper)
    ]
    apart = 0.0
    with torch.inference_mode():
        for row in sequences:
            expected, found = reference(input_ids=row[None]).logits, merged(input_ids=row[None]).logits
            apart = max(apart, float((expected - found).abs().max()))
    for hook in hooks:
        hook.remove()
    layer = max(outputs, key=outputs.__getitem__)
    return Difference(logits=apart, layer=layer, layer_output=outputs[layer], tokens=sequences.numel())


def require_same(difference: Difference) -> None:
    """Return if the models are the same within MAX_LOGIT_DIFFERENCE.

    Raises:
        UserError: naming the largest difference and the layer.
    """
    # Not `>`: a difference that is no number is no agreement either.
    if not difference.logits <= MAX_LOGIT_DIFFERENCE:
        raise UserError(
            f"merged, the adapter gives logits up to {difference.logits:.3g} away from the base with the adapters "
            f"beside it (allowed: {MAX_LOGIT_DIFFERENCE:g}); for equal inputs {difference.layer} differs most, "
            f"by {difference.layer_output:.3g}",
            why="what is scored, quantised and served is the merged model; it would not be the one that was trained",
            fix="compose again (`dvc repro --force compose`); if it stays, that layer shares its weight with another, "
            "or the base is of a kind that peft cannot merge into: choose another base.model",
        )
