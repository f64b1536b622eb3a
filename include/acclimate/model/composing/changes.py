"""A LoRA adapter as what it does: one low-rank change per weight, its scaling worked in.

    changes = read_changes(Path("artifacts/train_domain"))
    changes["model.layers.0.self_attn.q_proj"]          # Change(up [256, 16], down [16, 256])
    write_adapter(changes, like=Path("artifacts/train_domain"), out=Path("artifacts/compose"))

Adapters of different rank, alpha or scaling rule (alpha / r, or alpha / √r under rsLoRA) are comparable in
this form only: their A and B are not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from acclimate.core.files import read_json, write_json
from acclimate.model.adapter import CONFIG, WEIGHTS
from acclimate.model.training.full import is_full

if TYPE_CHECKING:
    import torch

_PREFIX = "base_model.model."
"""What peft puts before a module's name in the base."""


class Change(NamedTuple):
    """What is added to one weight: up @ down, shape [out, in]."""

    up: torch.Tensor
    """[out, rank]: LoRA's B times the scaling."""
    down: torch.Tensor
    """[rank, in]: LoRA's A."""


Changes = Mapping[str, Change]
"""By the name of the linear layer in the base model."""


def read_changes(adapter: Path) -> dict[str, Change]:
    """The changes made by the adapter in a folder, in float32.

    The adapter is one that we wrote: plain LoRA (DoRA is no sum), one rank and one alpha for all layers.
    """
    from safetensors.torch import load_file

    config = read_json(adapter / CONFIG)
    assert not config["use_dora"], "a DoRA adapter is no change that could be added to another"
    assert not is_full(config), "weights that were all trained are no change of low rank"
    patterns = {**config["rank_pattern"], **config["alpha_pattern"]}
    assert not patterns, "our adapters have one rank and one alpha for all layers"
    scale = scaling(config)
    weights = load_file(adapter / WEIGHTS)
    names = [name.removesuffix(".lora_A.weight") for name in weights if name.endswith(".lora_A.weight")]
    return {
        name.removeprefix(_PREFIX): Change(
            up=weights[f"{name}.lora_B.weight"].float() * scale, down=weights[f"{name}.lora_A.weight"].float()
        )
        for name in sorted(names)
    }


def write_adapter(changes: Changes, *, like: Path, out: Path) -> None:
    """Write `changes` as one ordinary LoRA adapter, whose scaling is 1.

    Where ranks differ, the smaller ones are filled up with zeros, which add nothing.

    Args:
        changes: what the adapter shall do.
        like: the folder of an adapter for the same base, for the rest of the configuration.
        out: the folder to fill.
    """
    from safetensors.torch import save_file
    from torch.nn.functional import pad

    rank = max(change.down.shape[0] for change in changes.values())
    weights: dict[str, torch.Tensor] = {}
    for name, (up, down) in changes.items():
        missing = rank - down.shape[0]
        weights[f"{_PREFIX}{name}.lora_A.weight"] = pad(down, (0, 0, 0, missing)).contiguous()
        weights[f"{_PREFIX}{name}.lora_B.weight"] = pad(up, (0, missing)).contiguous()
    save_file(weights, out / WEIGHTS, metadata={"format": "pt"})
    plain = {"r": rank, "lora_alpha": rank, "use_rslora": False}
    modules = sorted({name.rpartition(".")[2] for name in changes})
    write_json(out / CONFIG, {**read_json(like / CONFIG), **plain, "target_modules": modules})


def scaling(config: dict[str, Any]) -> float:
    """LoRA's alpha / r, or the alpha / √r of rank-stabilised LoRA (Kalajdzievski 2023, arXiv 2312.03732)."""
    divisor = math.sqrt(config["r"]) if config["use_rslora"] else config["r"]
    return float(config["lora_alpha"] / divisor)
