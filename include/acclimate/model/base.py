"""The model to adapt: pre-trained here on general text, or fetched, as a plain folder of safetensors.

    artifacts/base/   config.json, model.safetensors, tokenizer.json, …

`base.model` in params.yaml is "local:tiny", a folder, or a hub id with the commit it is pinned to.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from acclimate.core.errors import UserError
from acclimate.core.files import read_parquet, sha256
from acclimate.model import fetch, tiny
from acclimate.model.adapter import load_tokenizer
from acclimate.model.determinism import fix_randomness
from acclimate.model.licence import CARD, licence_of_card, licence_of_texts
from acclimate.model.packing import final_loss, thinned

if TYPE_CHECKING:
    from acclimate.core.params import BaseParams, CommonParams

TINY = "local:tiny"


@dataclass(frozen=True)
class BaseReport:
    """Which model everything after this starts from, and, if it was made here, how its loss fell."""

    model: str
    origin: str
    """'pre-trained here on …', 'copied from the folder …' or 'downloaded from the hub, commit …'."""
    parameters: int
    vocabulary: int
    """Tokens the tokenizer knows."""
    texts: int
    tokens_seen: int
    """By pre-training here; 0 for a fetched model."""
    first_loss: float | None
    final_loss: float | None
    loss_curve: list[list[float]]
    """[last step of a window, mean loss of the window]; empty for a fetched model."""
    licence: str
    """What base.licence says, else the model card, else that of the texts it was made from; 'unknown' if none does."""
    base_sha256: str
    """Of the safetensors files, in name order."""

    def headline(self) -> str:
        """'2.7 M parameters, pre-trained here on 614,400 tokens: loss 8.310 → 3.905'."""
        size = f"{self.parameters / 1e6:,.1f} M parameters, {self.origin}"
        if self.final_loss is None:
            return size
        return f"{size}: {self.tokens_seen:,} tokens, loss {self.first_loss:.3f} → {self.final_loss:.3f}"


@dataclass(frozen=True)
class _Pretraining:
    """What only a model that was made here has to tell."""

    texts: int = 0
    tokens: int = 0
    losses: tuple[float, ...] = ()


def run(params: BaseParams, common: CommonParams, *, general: Path, out: Path) -> BaseReport:
    """Fill `out` with the model that `params.model` names.

    Raises:
        UserError: if there is no general text to pre-train on, or the named model cannot be had in a form
            that is safe to load.
    """
    if params.model == TINY:
        fix_randomness(common)
        pretraining = _pretrain(params, common, general, out)
        origin = "pre-trained here on the general text"
    else:
        pretraining = _Pretraining()
        origin = fetch.fetch(params.model, params.revision, out)
        fix_randomness(common)
    losses = pretraining.losses
    return BaseReport(
        model=params.model if not Path(params.model).is_dir() else Path(params.model).resolve().name,
        origin=origin,
        parameters=fetch.parameters(out),
        vocabulary=len(load_tokenizer(out)),
        texts=pretraining.texts,
        tokens_seen=pretraining.tokens,
        first_loss=round(losses[0], 4) if losses else None,
        final_loss=final_loss(losses) if losses else None,
        loss_curve=thinned(losses),
        licence=params.licence or _licence(params, general, out),
        base_sha256=sha256(*sorted(out.glob("*.safetensors"))),
    )


def _licence(params: BaseParams, general: Path, out: Path) -> str:
    if params.model == TINY:
        return licence_of_texts(read_parquet(general)["licence"].to_pylist())
    return licence_of_card(out / CARD)


def _pretrain(params: BaseParams, common: CommonParams, general: Path, out: Path) -> _Pretraining:
    texts: list[str] = read_parquet(general)["text"].to_pylist()
    if not texts:
        raise UserError(
            f"{general} holds no text",
            why="the embedded model is pre-trained on general text",
            fix="see reports/decontaminate.json for what became of it, or name another model in base.model",
        )
    tokenizer = tiny.train_tokenizer(texts, params.vocabulary, params.sequence_tokens)
    shape = (params.steps * params.batch_sequences, params.sequence_tokens)
    sequences = tiny.shuffled_epochs(tokenizer, texts, shape, common.seed)
    model = tiny.new_model(params, len(tokenizer))
    losses = tiny.pretrain(model, sequences, params)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    return _Pretraining(len(texts), sequences.size, tuple(losses))
