"""From a model and an objective to an adapter folder and a report: what every train stage ends with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from acclimate.core.files import sha256
from acclimate.model.adapter import WEIGHTS
from acclimate.model.device import found, on_device
from acclimate.model.packing import final_loss, thinned
from acclimate.model.precision import has_bfloat16
from acclimate.model.training.checkpoints import Journal, digest
from acclimate.model.training.guards import require_finite
from acclimate.model.training.loop import Dials, Fitted, Objective, fit
from acclimate.model.training.lora import save, with_adapter
from acclimate.model.training.losses import of_tokens
from acclimate.model.training.nf4 import held_bytes, pack
from acclimate.model.training.report import Trained, TrainReport
from acclimate.model.training.sharding import shard, whole
from acclimate.model.training.share import own_share

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

    from acclimate.core.params import CommonParams, StepsParams, TrainingParams
    from acclimate.model.forgetting.restraint import Restraint
    from acclimate.model.training.batches import Batches
    from acclimate.model.training.loop import Penalty


@dataclass(frozen=True)
class Material:
    """The texts that are trained on, and beside what."""

    batches: Batches
    start: str
    """What the adapter is trained beside, in words."""
    start_files: Sequence[Path]
    """The weights of that."""
    texts: int
    tokens: int
    """Of these texts, once over."""


@dataclass(frozen=True)
class Read:
    """What an objective reads, and beside what."""

    start: str
    start_files: Sequence[Path]
    data_sha256: str
    """Of all that is read, in its order."""
    texts: int
    tokens: int
    """Of these texts, once over."""
    trained_tokens: int
    """That go through the model in all steps."""
    learned_tokens: int
    """Of these, the ones with a loss."""


@dataclass(frozen=True)
class Settings:
    """The dials of a train stage."""

    section: str
    stage: StepsParams
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
    """Train a fresh adapter beside `model` on texts, write it to `out` and say how it went.

    Args:
        model: is frozen; where there is a GPU, it moves there.
        material: what it is trained on.
        settings: how.
        out: an empty directory.
        checkpoints: a folder in which an earlier attempt may have left checkpoints; it is left to the caller to
            remove it once what is in `out` is safe.
        restraint: what is added to the loss, if anything.
    """
    adapted = adapter_beside(frozen(model, settings.training), settings.training)
    objective = of_tokens(adapted, material.batches, separate=settings.training.separate_texts)
    penalty = restraint.on(adapted) if restraint else None
    trained = train(adapted, objective, _read(material), settings, out=out, checkpoints=checkpoints, penalty=penalty)
    if restraint and penalty:
        cost = round(float(penalty(adapted).detach()), 4)
        trained = replace(trained, penalty=restraint.said, penalty_cost=cost)
    return TrainReport(trained)


def frozen(model: PreTrainedModel, training: TrainingParams) -> PreTrainedModel:
    """`model` where it is trained beside, its weights held as `training` has them."""
    if training.base_weights == "nf4":
        pack(model, found())  # layer by layer to where they go, which need not hold all of them unpacked
    moved: PreTrainedModel = on_device(model)
    return moved


def adapter_beside(model: PreTrainedModel, training: TrainingParams) -> PeftModel:
    """`model`, which stays as it is, with a fresh adapter to be trained."""
    adapted = with_adapter(model, training)
    if training.gradient_checkpointing:
        # Without this no gradient would reach the adapters through a checkpointed block whose input needs none.
        adapted.enable_input_require_grads()
        adapted.gradient_checkpointing_enable({"use_reentrant": False})
    return adapted


def train(
    adapted: PeftModel,
    objective: Objective,
    read: Read,
    settings: Settings,
    *,
    out: Path,
    checkpoints: Path,
    penalty: Penalty | None = None,
) -> Trained:
    """Lower `objective` by the adapter of `adapted`, write that to `out` and say how it went."""
    share = own_share()
    if settings.training.sharding == "fsdp":
        shard(adapted)
    journal = Journal(checkpoints, _fingerprint(read, settings), settings.training.checkpoint_steps)
    fitted = fit(adapted, objective, _dials(settings), journal=journal, penalty=penalty, share=share)
    require_finite(adapted, settings.stage.steps, settings.section)
    learned = {name for name, weight in adapted.named_parameters() if weight.requires_grad}
    state = adapted.state_dict().items()
    weights = {name: whole(tensor) if name in learned else tensor for name, tensor in state}
    if share.leads:
        save(adapted, out, weights)
    share.wait()
    return _trained(adapted, read, settings, fitted, sha256(out / WEIGHTS))


def _read(material: Material) -> Read:
    batches = material.batches
    return Read(
        start=material.start,
        start_files=material.start_files,
        data_sha256=digest(array.tobytes() for array in (batches.ids, batches.labels, batches.positions)),
        texts=material.texts,
        tokens=material.tokens,
        trained_tokens=batches.tokens,
        learned_tokens=batches.learned,
    )


def _dials(settings: Settings) -> Dials:
    stage, training = settings.stage, settings.training
    most = own_share().most_rows(stage.batch_sequences)
    return Dials(
        section=settings.section,
        learning_rate=stage.learning_rate,
        schedule=stage.schedule,
        warmup_steps=math.ceil(stage.warmup_share * stage.steps),
        rows_at_once=min(training.rows_at_once or most, most),
    )


def _fingerprint(read: Read, settings: Settings) -> dict[str, str]:
    """What a checkpoint must have been made with to be gone on from."""
    import torch

    # How often a checkpoint is written, and how much room is asked for, do not matter to what a run is.
    training = settings.training.model_copy(update={"checkpoint_steps": 1})
    common = settings.common.model_copy(update={"min_free_disk_mb": 1})
    sections = (settings.stage, training, common)
    code = sorted(
        path for part in ("training", "forgetting") for path in Path(__file__).parents[1].glob(f"{part}/*.py")
    )
    return {
        "data": read.data_sha256,
        "base": sha256(*read.start_files),
        "params": digest(section.model_dump_json().encode() for section in sections),
        "program": f"{torch.__version__} {sha256(*code)}",
    }


def _trained(adapted: PeftModel, read: Read, settings: Settings, fitted: Fitted, adapter_sha256: str) -> Trained:
    trainable, total = adapted.get_nb_trainable_parameters()
    share = 1.0 if settings.training.strategy == "full" else trainable / total  # frozen are only those it is a copy of
    return Trained(
        start=read.start,
        strategy=settings.training.strategy,
        base_weights=settings.training.base_weights,
        base_bytes=held_bytes(adapted),
        processes=settings.training.processes,
        precision="bfloat16" if has_bfloat16(adapted.device) else "float32",
        trainable_parameters=trainable,
        trainable_share=round(share, 6),
        texts=read.texts,
        dataset_tokens=read.tokens,
        steps=len(fitted.losses),
        trained_tokens=read.trained_tokens,
        learned_tokens=read.learned_tokens,
        rows_at_once=fitted.rows_at_once,
        halved=fitted.halved,
        epochs=round(read.trained_tokens / read.tokens, 3),
        repeated=read.trained_tokens > read.tokens,
        first_loss=round(fitted.losses[0], 4),
        final_loss=final_loss(fitted.losses),
        loss_curve=thinned(fitted.losses),
        penalty=None,
        penalty_cost=None,
        adapter_sha256=adapter_sha256,
    )
