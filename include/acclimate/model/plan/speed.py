"""How fast this machine trains a model of this shape: steps of the real loop, on random weights and tokens.

    measured_rate(config, params.training, one, parameters=4_459_776)
    # Rate(flops_per_second=8.3e10, steps=4, seconds=2.1, layers=4, rows=8, held=1.9)

A large model is not built for this: one layer of it is, and the whole is taken to do as many operations per second.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from acclimate.model.device import found
from acclimate.model.plan.base_config import cut_down
from acclimate.model.plan.growth import Growth
from acclimate.model.plan.tracing import Pass, Traced, traced
from acclimate.model.training.adapting import adapter_beside, frozen
from acclimate.model.training.batches import Batches
from acclimate.model.training.loop import Dials, fit
from acclimate.model.training.losses import of_tokens

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedConfig

    from acclimate.core.params import TrainingParams

SECONDS = 2.0
"""How long is measured, about."""
MOST_STEPS = 50
WHOLE_PARAMETERS = 50_000_000
"""Up to so many the whole model is measured; a step of a larger one takes a CPU longer than a plan is waited for."""


FEW = 16
"""Tokens of a pass that takes next to nothing."""


@dataclass(frozen=True)
class Rate:
    """What was measured, and on what."""

    flops_per_second: float
    steps: int
    seconds: float
    layers: int
    rows: int
    """Sequences per forward pass."""
    held: float | None
    """Bytes that memory grew by over the bytes that the trace has alive at its peak: an allocator holds what it cannot
    use again. None for a part of a model."""

    def said(self) -> str:
        """'4 steps of 8 sequences through 4 layers, measured here in 2.1 s'."""
        return (
            f"{self.steps} steps of {self.rows} sequences through {self.layers} layers, measured here in "
            f"{self.seconds:.1f} s"
        )


def measured_rate(config: PreTrainedConfig, training: TrainingParams, one: Pass, planned: Traced) -> Rate:
    """Train for a few seconds: how many operations per second that was, and how much memory it took.

    Args:
        config: of the base.
        training: the adapter, and how it is trained.
        one: the pass that is planned.
        planned: its trace.
    """
    if whole := planned.parameters <= WHOLE_PARAMETERS:
        shape = config
    else:
        shape, one = cut_down(config, layers=1), replace(one, rows=1)
        planned = traced(shape, training, one)
    # What libraries load when they first train is none of the model's.
    _seconds(_random_model(cut_down(shape, layers=1), training), replace(one, rows=1, tokens=FEW), steps=1)
    growth = Growth(found())
    model = _random_model(shape, training)
    first = _seconds(model, one, steps=2) / 2  # pays for memory and kernels that later steps find ready
    steps = max(1, min(MOST_STEPS, round(SECONDS / first)))
    seconds = _seconds(model, one, steps=steps)
    held = growth.bytes() / sum(planned.peak.values()) if whole else None
    return Rate(planned.flops * steps / seconds, steps, seconds, shape.num_hidden_layers, one.rows, held)


def _random_model(config: PreTrainedConfig, training: TrainingParams) -> PeftModel:
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device(found()):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    return adapter_beside(frozen(model, training), training)


def _seconds(model: PeftModel, one: Pass, *, steps: int) -> float:
    """How long `steps` steps of one pass take."""
    import numpy as np

    size = (steps, one.rows, one.tokens)
    ids = np.random.default_rng(0).integers(model.config.vocab_size, size=size)
    positions = np.broadcast_to(np.arange(one.tokens), size).copy()
    objective = of_tokens(model, Batches(ids, ids, positions, padding=0), separate=one.separate)
    dials = Dials("plan", 1e-6, "linear", warmup_steps=0, rows_at_once=one.rows)
    began = time.perf_counter()
    fit(model, objective, dials)  # reads every loss, so a GPU has finished, too
    return time.perf_counter() - began
