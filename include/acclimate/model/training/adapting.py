"""From a base and its batches to an adapter folder and a report: what both train stages end with."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from acclimate.core.files import sha256
from acclimate.model.adapter import WEIGHTS
from acclimate.model.packing import final_loss, thinned
from acclimate.model.precision import has_bfloat16
from acclimate.model.training.guards import require_finite
from acclimate.model.training.loop import Dials, fit
from acclimate.model.training.lora import save, with_adapter
from acclimate.model.training.report import Trained, TrainReport

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from acclimate.core.params import TrainDomainParams, TrainingParams, TrainTaskParams
    from acclimate.model.training.batches import Batches


@dataclass(frozen=True)
class Reading:
    """What the batches were made of."""

    start: str
    """What the adapter is trained beside, in words."""
    texts: int
    tokens: int
    """Of these texts, once over."""


def adapt(
    model: PreTrainedModel,
    batches: Batches,
    reading: Reading,
    *,
    section: str,
    params: TrainDomainParams | TrainTaskParams,
    training: TrainingParams,
    out: Path,
) -> TrainReport:
    """Train a fresh adapter beside `model`, write it to `out` and say how it went."""
    adapted = with_adapter(model, training)
    warmup = math.ceil(params.warmup_share * params.steps)
    losses = fit(adapted, batches, Dials(section, params.learning_rate, params.schedule, warmup))
    require_finite(adapted, params.steps, section)
    save(adapted, out)
    trainable, total = adapted.get_nb_trainable_parameters()
    return TrainReport(
        Trained(
            start=reading.start,
            strategy=training.strategy,
            precision="bfloat16" if has_bfloat16(adapted.device) else "float32",
            trainable_parameters=trainable,
            trainable_share=round(trainable / total, 6),
            texts=reading.texts,
            dataset_tokens=reading.tokens,
            steps=len(losses),
            trained_tokens=batches.tokens,
            learned_tokens=batches.learned,
            epochs=round(batches.tokens / reading.tokens, 3),
            repeated=batches.tokens > reading.tokens,
            first_loss=round(losses[0], 4),
            final_loss=final_loss(losses),
            loss_curve=thinned(losses),
            adapter_sha256=sha256(out / WEIGHTS),
        )
    )
