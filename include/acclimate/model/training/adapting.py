"""From a base and its batches to an adapter folder and a report: what both train stages end with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from acclimate.core.files import sha256
from acclimate.model.adapter import WEIGHTS
from acclimate.model.packing import final_loss, thinned
from acclimate.model.precision import has_bfloat16
from acclimate.model.training.checkpoints import Journal, digest
from acclimate.model.training.guards import require_finite
from acclimate.model.training.loop import Dials, Fitted, fit
from acclimate.model.training.lora import save, with_adapter
from acclimate.model.training.report import Trained, TrainReport

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

    from acclimate.core.params import CommonParams, TrainDomainParams, TrainingParams, TrainTaskParams
    from acclimate.model.forgetting.restraint import Restraint
    from acclimate.model.training.batches import Batches


@dataclass(frozen=True)
class Material:
    """What is trained on, and beside what."""

    batches: Batches
    start: str
    """What the adapter is trained beside, in words."""
    start_files: Sequence[Path]
    """The weights of that."""
    texts: int
    tokens: int
    """Of these texts, once over."""


@dataclass(frozen=True)
class Settings:
    """The dials of a train stage."""

    section: str
    stage: TrainDomainParams | TrainTaskParams
    training: TrainingParams
    common: CommonParams


def adapt(
    model: PreTrainedModel,
    material: Material,
    settings: Settings,
    *,
    out: Path,
    checkpoints: Path,
    restraint: Restraint | None = None,
) -> TrainReport:
    """Train a fresh adapter beside `model`, write it to `out` and say how it went.

    Args:
        model: stays as it is.
        material: what it is trained on.
        settings: how.
        out: an empty directory.
        checkpoints: a folder in which an earlier attempt may have left checkpoints; it is left to the caller to
            remove it once what is in `out` is safe.
        restraint: what is added to the loss, if anything.
    """
    from acclimate.model.training.fused import fused

    adapted = with_adapter(model, settings.training)
    if settings.training.gradient_checkpointing:
        # Without this no gradient would reach the adapters through a checkpointed block whose input needs none.
        adapted.enable_input_require_grads()
        adapted.gradient_checkpointing_enable({"use_reentrant": False})
    journal = Journal(checkpoints, _fingerprint(material, settings), settings.training.checkpoint_steps)
    penalty = restraint.on(adapted) if restraint else None
    with fused(adapted):
        fitted = fit(adapted, material.batches, _dials(settings), journal=journal, penalty=penalty)
    require_finite(adapted, settings.stage.steps, settings.section)
    save(adapted, out)
    trained = _trained(adapted, material, settings, fitted, sha256(out / WEIGHTS))
    if restraint and penalty:
        cost = round(float(penalty(adapted).detach()), 4)
        trained = replace(trained, penalty=restraint.said, penalty_cost=cost)
    return TrainReport(trained)


def _dials(settings: Settings) -> Dials:
    stage, training = settings.stage, settings.training
    return Dials(
        section=settings.section,
        learning_rate=stage.learning_rate,
        schedule=stage.schedule,
        warmup_steps=math.ceil(stage.warmup_share * stage.steps),
        rows_at_once=min(training.rows_at_once or stage.batch_sequences, stage.batch_sequences),
        separate=training.separate_texts,
    )


def _fingerprint(material: Material, settings: Settings) -> dict[str, str]:
    """What a checkpoint must have been made with to be gone on from."""
    import torch

    batches = material.batches
    # How often a checkpoint is written, and how much room is asked for, do not matter to what a run is.
    training = settings.training.model_copy(update={"checkpoint_steps": 1})
    common = settings.common.model_copy(update={"min_free_disk_mb": 1})
    sections = (settings.stage, training, common)
    code = sorted(
        path for part in ("training", "forgetting") for path in Path(__file__).parents[1].glob(f"{part}/*.py")
    )
    return {
        "data": digest(array.tobytes() for array in (batches.ids, batches.labels, batches.positions)),
        "base": sha256(*material.start_files),
        "params": digest(section.model_dump_json().encode() for section in sections),
        "program": f"{torch.__version__} {sha256(*code)}",
    }


def _trained(model: PeftModel, material: Material, settings: Settings, fitted: Fitted, adapter_sha256: str) -> Trained:
    trainable, total = model.get_nb_trainable_parameters()
    tokens = material.batches.tokens
    return Trained(
        start=material.start,
        strategy=settings.training.strategy,
        precision="bfloat16" if has_bfloat16(model.device) else "float32",
        trainable_parameters=trainable,
        trainable_share=round(trainable / total, 6),
        texts=material.texts,
        dataset_tokens=material.tokens,
        steps=len(fitted.losses),
        trained_tokens=tokens,
        learned_tokens=material.batches.learned,
        rows_at_once=fitted.rows_at_once,
        halved=fitted.halved,
        epochs=round(tokens / material.tokens, 3),
        repeated=tokens > material.tokens,
        first_loss=round(fitted.losses[0], 4),
        final_loss=final_loss(fitted.losses),
        loss_curve=thinned(fitted.losses),
        penalty=None,
        penalty_cost=None,
        adapter_sha256=adapter_sha256,
    )
