"""Make one adapter of those that were trained: what is evaluated, quantised, registered and served.

    artifacts/train_domain/, artifacts/train_task/, artifacts/align/     adapters, or off.json
    artifacts/compose/                                                   adapter_model.safetensors, adapter_config.json

Adapters trained one upon the other (sequential) add up to exactly the model that the second was trained in.
Adapters trained side by side on the base are added too (stacked), or combined with weights. The one of align was
trained upon whatever that gives, and is added to it. Whatever is written, the stage ends with the proof that merging it
gives the logits of the base with the adapters beside its weights. Where all weights were trained, what was trained last
holds what was trained before, and is passed on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from acclimate.core.files import read_jsonl, sha256
from acclimate.model.adapter import WEIGHTS
from acclimate.model.composing.export_check import MAX_LOGIT_DIFFERENCE, Difference
from acclimate.model.composing.parts import rank, trained, weights, write_together, write_upon

if TYPE_CHECKING:
    import torch
    from peft import PeftModel

    from acclimate.core.params import CommonParams, ComposeParams, TrainTaskParams

CHECKED_TEXTS = 64
CHECKED_SEQUENCES = 4
"""Of real text, in the task adapter's sequence length: the first of the training set."""


@dataclass(frozen=True)
class Part:
    """One of the adapters that went in."""

    stage: str
    rank: int | None
    """None where all weights were trained."""
    weight: float
    adapter_sha256: str


@dataclass(frozen=True)
class ComposeReport:
    """What the candidate is made of, and whether merging it gives the model it stands for."""

    parts: list[Part]
    """In the order in which they were trained."""
    combination: str
    """'alone', 'sequential', 'stacked', or 'weighted' and how: 'weighted, ties'; with ', then aligned' behind it."""
    kept_share: float
    """Of the squared size of the combined change, what its rank could hold (0–1); 1 is exact."""
    rank: int | None
    """None where all weights were trained."""
    merged: Difference
    """Between the merged model and the base with the adapters beside its weights."""
    allowed_difference: float
    """Of a logit, absolute."""
    adapter_sha256: str
    """Of the adapter that is evaluated and released."""

    def headline(self) -> str:
        """'train_domain (rank 16) + train_task (rank 16), sequential: one adapter of rank 32, …; logits within …'."""
        parts = " + ".join(f"{part.stage} ({_size(part.rank)})" for part in self.parts)
        held = "" if self.kept_share == 1 else f" that holds {self.kept_share:.1%} of it"
        return (
            f"{parts}, {self.combination}: one adapter of {_size(self.rank)}{held}, {self.adapter_sha256[:8]}; "
            f"merged, its logits are within {self.merged.logits:.1e}"
        )


def run(
    params: ComposeParams,
    task_params: TrainTaskParams,
    common: CommonParams,
    *,
    base: Path,
    domain: Path,
    task: Path,
    align: Path,
    dataset: Path,
    out: Path,
) -> ComposeReport:
    """Write one adapter made of those in `domain`, `task` and `align` to `out`; one alone is passed on as it is.

    Raises:
        UserError: if a folder holds no adapter and does not say that its stage is off, or the merged model
            differs from what was trained.
    """
    from acclimate.model.composing.export_check import require_same
    from acclimate.model.determinism import fix_randomness

    fix_randomness(common)
    folders, aligned = trained({"train_domain": domain, "train_task": task}), trained({"align": align})
    upon = len(folders) == 2 and task_params.start_from == "domain"
    tokens = _tokens(base, dataset, task_params.sequence_tokens)
    with TemporaryDirectory() as scratch:
        together = Path(scratch) if aligned else out
        kept = write_together(params, folders, base=base, seed=common.seed, out=together)
        reference = _upon(base, domain, task) if upon else _beside(params, base, folders, together)
        difference = _difference(reference, base, together, tokens)
        require_same(difference)
        if aligned:
            write_upon(together, align, base=base, out=out)
            difference = _difference(_upon(base, together, align), base, out, tokens)
            require_same(difference)
    parts = {**folders, **aligned}
    return ComposeReport(
        parts=[
            Part(stage, rank(folder), weight, sha256(folder / WEIGHTS))
            for (stage, folder), weight in zip(parts.items(), weights(params, parts), strict=True)
        ],
        combination=_combination(params, len(folders), upon=upon) + (", then aligned" if aligned else ""),
        kept_share=round(kept, 6),
        rank=rank(out),
        merged=difference,
        allowed_difference=MAX_LOGIT_DIFFERENCE,
        adapter_sha256=sha256(out / WEIGHTS),
    )


def _size(rank: int | None) -> str:
    return "all weights" if rank is None else f"rank {rank}"


def _combination(params: ComposeParams, adapters: int, *, upon: bool) -> str:
    if adapters == 1:
        return "alone"
    if upon:
        return "sequential"
    plain = params.combination == "cat" and params.domain_weight == params.task_weight == 1
    return "stacked" if plain else f"weighted, {params.combination}"


def _difference(reference: PeftModel, base: Path, written: Path, tokens: torch.Tensor) -> Difference:
    from acclimate.model.adapter import load_adapted
    from acclimate.model.composing.export_check import merged_difference

    return merged_difference(reference, load_adapted(base, written), tokens)


def _upon(base: Path, first: Path, second: Path) -> PeftModel:
    """What the second adapter was trained in: the base with the first in it, and the second beside its weights."""
    from acclimate.model.adapter import attach, load_adapted

    return attach(load_adapted(base, first), second).eval()


def _beside(params: ComposeParams, base: Path, folders: Mapping[str, Path], written: Path) -> PeftModel:
    """The base with the adapters beside its weights: each, where what was written is their sum, else that itself."""
    from acclimate.model.composing.export_check import beside

    if params.combination == "cat" or len(folders) == 1:
        return beside(base, list(zip(folders.values(), weights(params, folders), strict=True)))
    return beside(base, [(written, 1.0)])


def _tokens(base: Path, dataset: Path, length: int) -> torch.Tensor:
    """The beginning of the training set, as [CHECKED_SEQUENCES, length] token ids."""
    import torch

    from acclimate.model.adapter import load_tokenizer
    from acclimate.model.packing import cut, stream, token_ids

    texts = [row["text"] for row in read_jsonl(dataset)[:CHECKED_TEXTS]]
    return torch.from_numpy(cut(stream(token_ids(load_tokenizer(base), texts)), (CHECKED_SEQUENCES, length)))
