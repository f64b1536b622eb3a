"""What is trained: an adapter put beside a frozen base, or a copy of all of it; written as an adapter's folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from acclimate.core.files import read_json, write_json
from acclimate.model.adapter import CONFIG, forget_gptq
from acclimate.model.training.full import is_full, with_copies
from acclimate.model.training.nf4 import known_to_peft

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel

    from acclimate.core.params import TrainingParams

BASE_NAME = "artifacts/base"
"""What the adapter says its base is: the same in every checkout and on every machine."""


def with_adapter(model: PreTrainedModel, params: TrainingParams) -> PeftModel:
    """The base, frozen, with a fresh adapter on every linear layer but the output, or with a trained copy of all."""
    from peft import LoraConfig, TaskType, get_peft_model

    forget_gptq()
    if params.strategy == "full":
        return with_copies(model)
    config = LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        r=params.rank,
        lora_alpha=params.alpha,
        lora_dropout=params.dropout,
        target_modules="all-linear",
        use_rslora=params.strategy == "rslora",
        use_dora=params.strategy == "dora",
    )
    with known_to_peft(model):
        adapted: PeftModel = get_peft_model(model, config)
    return adapted


def save(model: PeftModel, out: Path, weights: Mapping[str, torch.Tensor] | None = None) -> None:
    """Write the adapter in peft's own format, without its model card, paths or the order of a Python set.

    Args:
        model: with the adapter.
        out: a folder.
        weights: its state, where the model holds only a part of it.
    """
    model.save_pretrained(str(out), save_embedding_layers=False, state_dict=weights)
    (out / "README.md").unlink()
    config = read_json(out / CONFIG)
    config["base_model_name_or_path"] = BASE_NAME
    if not is_full(config):
        # peft lists the modules of a shallow model in full, and would then fit the adapter to any deeper one.
        config["target_modules"] = sorted({name.rpartition(".")[2] for name in config["target_modules"]})
    write_json(out / CONFIG, config)
