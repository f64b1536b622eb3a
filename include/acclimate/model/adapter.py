"""Loading: a base folder, and the base with an adapter merged into its weights.

    model = load_adapted(Path("artifacts/base"), Path("artifacts/compose"))

Nothing here reaches the network, runs code from a model folder, or reads pickled weights.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from acclimate.core.errors import UserError

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"


def load_base(base: Path, dtype: torch.dtype | None = None) -> PreTrainedModel:
    """The model in the folder `base`, in evaluation mode.

    Args:
        base: a folder with config.json and safetensors weights.
        dtype: of the weights in memory; None is float32, in which merging an adapter is exact enough.

    Raises:
        UserError: if the folder holds no such model.
    """
    import torch
    from transformers import AutoModelForCausalLM

    _require_model(base)
    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
        base, dtype=dtype or torch.float32, use_safetensors=True, local_files_only=True
    )
    return model.eval()


def load_tokenizer(base: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of the model in the folder `base`.

    Raises:
        UserError: if the folder holds no model.
    """
    from transformers import AutoTokenizer

    _require_model(base)
    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(base, local_files_only=True)
    return tokenizer


def _require_model(base: Path) -> None:
    if not (base / "config.json").is_file() or not any(base.glob("*.safetensors")):
        raise UserError(
            f"{base} holds no model with safetensors weights",
            why="there is nothing to adapt or to score",
            fix="run `dvc repro base`",
        )


def load_adapted(base: Path, adapter: Path) -> PreTrainedModel:
    """The base with the adapter's weights added into its own: an ordinary model, as fast as the base.

    Raises:
        UserError: if either folder does not hold what it should, or the adapter was trained on another base.
    """
    merged: PreTrainedModel = attach(load_base(base), adapter).merge_and_unload()
    return merged.eval()


def attach(model: PreTrainedModel, adapter: Path) -> PeftModel:
    """`model` with the adapter beside its weights, not yet merged; every weight of the adapter is used.

    peft itself only warns about an adapter that fits in part, and leaves the rest untrained.
    """
    from peft import PeftModel, get_peft_model_state_dict
    from safetensors import safe_open

    forget_gptq()
    missing = [name for name in (CONFIG, WEIGHTS) if not (adapter / name).is_file()]
    if missing:
        raise UserError(
            f"{adapter} has no {' and no '.join(missing)}",
            why="both make up a LoRA adapter",
            fix="run `dvc repro compose`",
        )
    with safe_open(adapter / WEIGHTS, framework="pt") as stored:
        shapes = {name: tuple(stored.get_slice(name).get_shape()) for name in stored.keys()}  # noqa: SIM118
    try:
        adapted: PeftModel = PeftModel.from_pretrained(model, str(adapter))
    except RuntimeError as fault:
        if "size mismatch" not in str(fault):
            raise
        raise _other_base(adapter) from None
    # Embedding layers are never part of our adapters; asked to find out, peft would look for the base on the hub.
    own = get_peft_model_state_dict(adapted, save_embedding_layers=False)
    expected = {name: tuple(weight.shape) for name, weight in own.items()}
    if shapes != expected:
        raise _other_base(adapter)
    return adapted


def forget_gptq() -> None:
    """Have peft take every layer for a plain one, which in our bases it is.

    Where gptqmodel is installed peft 0.21 imports it to see whether a layer is one of its own (5 s, and a
    banner), and fails if optimum is not installed too. The answer is kept for the life of the process.
    """
    from peft import import_utils

    with _hidden("gptqmodel"):
        import_utils.is_gptqmodel_available()


@contextmanager
def _hidden(module: str) -> Iterator[None]:
    """Let `module` look uninstalled: None in sys.modules is Python's own way to say so."""
    loaded = sys.modules.get(module)
    sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[module]
        if loaded is not None:
            sys.modules[module] = loaded


def _other_base(adapter: Path) -> UserError:
    return UserError(
        f"the adapter in {adapter} does not fit this base: it has other layers or other sizes",
        why="weights that fit in part make a model that nobody trained",
        fix="train the adapters again on this base: `dvc repro compose`",
    )
