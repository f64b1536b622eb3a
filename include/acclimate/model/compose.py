"""Make one adapter of those that were trained: what is evaluated, quantised, registered and served.

    artifacts/train_domain/, artifacts/train_task/     adapters, or off.json
    artifacts/compose/                                 adapter_model.safetensors, adapter_config.json

Adapters trained one upon the other (sequential) add up to exactly the model that the second was trained in.
Adapters trained side by side on the base are added too (stacked), or combined with weights. Whatever is written,
the stage ends with the proof that merging it gives the logits of the base with the adapters beside its weights.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from acclimate.core.errors import UserError
from acclimate.core.files import read_json, read_jsonl, sha256
from acclimate.model.adapter import CONFIG, WEIGHTS
from acclimate.model.composing.export_check import MAX_LOGIT_DIFFERENCE, Difference
from acclimate.model.training.report import OFF

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
    rank: int
    weight: float
    adapter_sha256: str


@dataclass(frozen=True)
class ComposeReport:
    """What the candidate is made of, and whether merging it gives the model it stands for."""

    parts: list[Part]
    """In the order in which they were trained."""
    combination: str
    """'alone', 'sequential', 'stacked', or 'weighted' and how: 'weighted, ties'."""
    kept_share: float
    """Of the squared size of the combined change, what its rank could hold (0–1); 1 is exact."""
    rank: int
    merged: Difference
    """Between the merged model and the base with the adapters beside its weights."""
    allowed_difference: float
    """Of a logit, absolute."""
    adapter_sha256: str
    """Of the adapter that is evaluated and released."""

    def headline(self) -> str:
        """'train_domain (rank 16) + train_task (rank 16), sequential: one adapter of rank 32, …; logits within …'."""
        parts = " + ".join(f"{part.stage} (rank {part.rank})" for part in self.parts)
        held = "" if self.kept_share == 1 else f" that holds {self.kept_share:.1%} of it"
        return (
            f"{parts}, {self.combination}: one adapter of rank {self.rank}{held}, {self.adapter_sha256[:8]}; "
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
    dataset: Path,
    out: Path,
) -> ComposeReport:
    """Write one adapter made of those in `domain` and `task` to `out`; one that is alone is passed on as it is.

    Raises:
        UserError: if a folder holds no adapter and does not say that its stage is off, or the merged model
            differs from what was trained.
    """
    from acclimate.model.adapter import load_adapted
    from acclimate.model.composing.export_check import merged_difference, require_same
    from acclimate.model.determinism import fix_randomness

    fix_randomness(common)
    folders = _trained({"train_domain": domain, "train_task": task})
    upon = len(folders) == 2 and task_params.start_from == "domain"
    weights = {"train_domain": params.domain_weight, "train_task": params.task_weight}
    kept = _write(params, folders, [weights[stage] for stage in folders], base=base, seed=common.seed, out=out)
    exact = params.combination == "cat" or len(folders) == 1
    beside = [(folder, weights[stage]) for stage, folder in folders.items()] if exact else [(out, 1.0)]
    difference = merged_difference(
        _upon(base, domain, task) if upon else _beside(base, beside),
        load_adapted(base, out),
        _tokens(base, dataset, task_params.sequence_tokens),
    )
    require_same(difference)
    return ComposeReport(
        parts=[
            Part(stage, _rank(folder), weights[stage], sha256(folder / WEIGHTS)) for stage, folder in folders.items()
        ],
        combination=_combination(params, len(folders), upon=upon),
        kept_share=round(kept, 6),
        rank=_rank(out),
        merged=difference,
        allowed_difference=MAX_LOGIT_DIFFERENCE,
        adapter_sha256=sha256(out / WEIGHTS),
    )


def _trained(folders: Mapping[str, Path]) -> dict[str, Path]:
    """Stage to folder, of those that are not off."""
    found = {stage: folder for stage, folder in folders.items() if not (folder / OFF).is_file()}
    assert found, "params.yaml does not let both stages be off"
    for stage, folder in found.items():
        missing = [name for name in (CONFIG, WEIGHTS) if not (folder / name).is_file()]
        if missing:
            raise UserError(
                f"{folder} has no {' and no '.join(missing)}",
                why="both make up a LoRA adapter",
                fix=f"run `dvc repro {stage}`",
            )
    return found


def _write(
    params: ComposeParams, folders: Mapping[str, Path], weights: Sequence[float], *, base: Path, seed: int, out: Path
) -> float:
    """Fill `out`; the share (0–1) of the combined change that it holds."""
    from acclimate.model.composing.changes import read_changes, write_adapter
    from acclimate.model.composing.combining import combine
    from acclimate.model.composing.dora import write_chained

    *_, last = folders.values()
    if len(folders) == 1:
        for name in (WEIGHTS, CONFIG):
            shutil.copyfile(last / name, out / name)
        return 1.0
    if read_json(last / CONFIG)["use_dora"]:
        write_chained(*folders.values(), base=base, out=out)
        return 1.0
    adapters = [read_changes(folder) for folder in folders.values()]
    combined, kept = combine(adapters, weights, params.combination, density=params.density, seed=seed)
    write_adapter(combined, like=last, out=out)
    return kept


def _combination(params: ComposeParams, adapters: int, *, upon: bool) -> str:
    if adapters == 1:
        return "alone"
    if upon:
        return "sequential"
    plain = params.combination == "cat" and params.domain_weight == params.task_weight == 1
    return "stacked" if plain else f"weighted, {params.combination}"


def _upon(base: Path, domain: Path, task: Path) -> PeftModel:
    """What the task adapter was trained in: the base with the domain adapter in it, the task adapter beside."""
    from acclimate.model.adapter import attach, load_adapted

    return attach(load_adapted(base, domain), task).eval()


def _beside(base: Path, adapters: Sequence[tuple[Path, float]]) -> PeftModel:
    from acclimate.model.composing.export_check import beside

    return beside(base, adapters)


def _tokens(base: Path, dataset: Path, length: int) -> torch.Tensor:
    """The beginning of the training set, as [CHECKED_SEQUENCES, length] token ids."""
    import torch

    from acclimate.model.adapter import load_tokenizer
    from acclimate.model.packing import cut, stream, token_ids

    texts = [row["text"] for row in read_jsonl(dataset)[:CHECKED_TEXTS]]
    return torch.from_numpy(cut(stream(token_ids(load_tokenizer(base), texts)), (CHECKED_SEQUENCES, length)))


def _rank(adapter: Path) -> int:
    return int(read_json(adapter / CONFIG)["r"])
