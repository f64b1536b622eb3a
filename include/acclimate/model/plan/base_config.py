"""What shape the base has, without its weights: from params.yaml, a folder's config.json, or that of the hub.

base_config(params.base)      # LlamaConfig(hidden_size=256, num_hidden_layers=4, …)
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from acclimate.core.errors import UserError
from acclimate.model.base import TINY
from acclimate.model.fetch import located
from acclimate.model.tiny import new_config

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

    from acclimate.core.params import BaseParams


def base_config(params: BaseParams) -> PreTrainedConfig:
    """The configuration of the model that `base.model` names; of a hub id nothing but config.json is downloaded.

    Raises:
        UserError: if there is no such model, or it is none that transformers knows without code of its own.
    """
    if params.model == TINY:
        return new_config(params, params.vocabulary)
    return _read(params.model, located(params.model, params.revision, ("config.json",))[0])


def _read(model: str, folder: Path) -> PreTrainedConfig:
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError) as fault:
        raise UserError(
            f"the configuration of {model} cannot be read: {' '.join(str(fault).split())}",
            why="without the shape of the base nothing can be said about what it will need",
            fix="name a causal language model whose architecture is part of transformers",
        ) from None


def cut_down(config: PreTrainedConfig, layers: int) -> PreTrainedConfig:
    """The same model with fewer layers."""
    values = config.to_dict() | {"num_hidden_layers": layers}
    if values.get("layer_types"):
        values["layer_types"] = values["layer_types"][:layers]
    return type(config).from_dict(values)
