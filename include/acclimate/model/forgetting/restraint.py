"""The penalty that params.yaml asks for, ready to be added to the loss of a training.

held = restraint(params, Path("artifacts/decontaminate/general.parquet"), tokenizer, seed=1729)
fit(model, objective, dials, penalty=held.on(model))
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from acclimate.core.files import read_parquet
from acclimate.model.forgetting.fisher import SHARE, diagonal_fisher
from acclimate.model.forgetting.penalties import changes_of, ewc, l2_sp
from acclimate.model.packing import cut, stream, token_ids

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedTokenizerBase

    from acclimate.core.params import TrainDomainParams
    from acclimate.model.training.loop import Penalty


class Restraint(NamedTuple):
    """A penalty that still has to see the model it is on."""

    said: str
    """In words, for the report."""
    on: Callable[[PeftModel], Penalty]


def restraint(
    params: TrainDomainParams, general: Path, tokenizer: PreTrainedTokenizerBase, *, seed: int
) -> Restraint | None:
    """What `params.penalty` names, or None.

    Args:
        params: the penalty, its weight, and the length of a sequence.
        general: Parquet with a column `text`: what the model must not lose. EWC measures on a tenth of it.
        tokenizer: the base's.
        seed: of the measurement.
    """
    weight = params.penalty_weight
    if params.penalty == "l2_sp":
        return Restraint(f"L2-SP, weight {weight:g}", lambda _: lambda model: l2_sp(changes_of(model), weight))
    if params.penalty == "ewc":
        sequences = general_sequences(general, tokenizer, params.sequence_tokens)

        def measured(model: PeftModel) -> Penalty:
            fisher = diagonal_fisher(model, sequences, seed=seed)
            return lambda adapted: ewc(changes_of(adapted), fisher, weight)

        return Restraint(f"EWC, weight {weight:g}, measured on {sequences.numel():,} tokens of general text", measured)
    return None


def general_sequences(general: Path, tokenizer: PreTrainedTokenizerBase, length: int) -> torch.Tensor:
    """SHARE of the texts, evenly from all, as token ids [sequences, length]; at least one sequence."""
    import torch

    texts = read_parquet(general).column("text").to_pylist()[:: round(1 / SHARE)]
    tokens = stream(token_ids(tokenizer, texts))
    return torch.from_numpy(cut(tokens, (max(1, len(tokens) // length), length)))
