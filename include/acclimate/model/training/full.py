"""Full fine-tuning: every weight is trained, in a copy that takes the place of the base's own.

    adapted = with_copies(model)            # all frozen, and of every module a trained copy that computes in its place
    copies(adapted)["model.norm.weight"]    # (the base's, the trained one)

What is written is an adapter folder as for LoRA, in peft's form for modules that are kept whole: adapter_config.json
names them, adapter_model.safetensors has their weights. So what loads, merges, judges, registers and serves an adapter
does the same with a model of which all was trained.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from acclimate.core.errors import UserError

if TYPE_CHECKING:
    import torch
    from peft import LoraConfig, PeftModel
    from transformers import PreTrainedModel


def is_full(config: dict[str, Any]) -> bool:
    """Whether adapter_config.json is about whole weights."""
    return bool(config.get("modules_to_save"))


def with_copies(model: PreTrainedModel) -> PeftModel:
    """The base, frozen, and a trained copy of every module that has weights; weights that are tied stay so.

    Raises:
        UserError: if some weight of the base cannot be trained so.
    """
    from peft import get_peft_model

    parameters = sum(weight.numel() for weight in model.parameters())
    adapted: PeftModel = get_peft_model(model, _config(model))
    trained, _ = adapted.get_nb_trainable_parameters()
    if trained != parameters:
        raise _not_wholly(model, f"{trained:,} of its {parameters:,} parameters would be trained")
    return adapted


def _not_wholly(model: PreTrainedModel, found: str) -> UserError:
    return UserError(
        f"this {type(model).__name__} cannot be trained as a whole: {found}",
        why="training.strategy is full, and what is copied for training are single layers",
        fix="set training.strategy to lora, or choose another base.model",
    )


def _config(model: PreTrainedModel) -> LoraConfig:
    """LoRA on no layer at all, and every module with weights of its own kept whole."""
    from peft import LoraConfig, TaskType
    from peft.utils.constants import DUMMY_TARGET_MODULES

    seen: set[int] = set()
    names: set[str] = set()
    for path, module in model.named_modules():
        own = [weight for _, weight in module.named_parameters(recurse=False) if id(weight) not in seen]
        seen.update(id(weight) for weight in own)
        if own and any(weight.numel() for child in module.children() for weight in child.parameters()):
            raise _not_wholly(model, f"{path or 'the model'} has weights of its own beside those of the layers in it")
        if own:
            names.add(path.rpartition(".")[2])
    return LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        target_modules=DUMMY_TARGET_MODULES,
        modules_to_save=sorted(names),
        ensure_weight_tying=bool(model.config.tie_word_embeddings),
    )


def copies(model: PeftModel) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Every weight of the base and its trained copy, by name; one that two modules share stands once. None for LoRA."""
    from peft.utils.other import ModulesToSaveWrapper

    found: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
    seen: set[int] = set()
    for path, module in model.get_base_model().named_modules():
        if isinstance(module, ModulesToSaveWrapper):
            for name, copy in module.modules_to_save[model.active_adapter].named_parameters():
                if id(copy) not in seen:
                    seen.add(id(copy))
                    found[f"{path}.{name}"] = (module.original_module.get_parameter(name), copy)
    return found
