"""The steps themselves: forward, backward, clip, AdamW, at a learning rate that rises and falls.

    losses = fit(model, batches, dials)

Given the same batches it takes the same steps as transformers' Trainer with its defaults (AdamW with
betas .9 and .999, no decay, gradients clipped to norm 1), without what a general trainer does besides.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from acclimate.core.progress import progress
from acclimate.model.precision import autocast
from acclimate.model.training.batches import UNLEARNED, Batches
from acclimate.model.training.guards import require_number

if TYPE_CHECKING:
    import torch
    from peft import PeftModel

    Penalty = Callable[[PeftModel], torch.Tensor]
    """What is added to the loss of every step, once, as a function of the weights: a scalar."""

MAX_GRADIENT_NORM = 1.0
"""Larger gradients are scaled down to it (Pascanu et al. 2013); the default of transformers' Trainer."""


@dataclass(frozen=True)
class Dials:
    """How the steps are taken."""

    section: str
    """Of params.yaml: where the dials stand that a message tells to change."""
    learning_rate: float
    schedule: Literal["cosine", "linear"]
    warmup_steps: int


def fit(model: PeftModel, batches: Batches, dials: Dials, *, penalty: Penalty | None = None) -> list[float]:
    """Train the trainable weights of `model` in place; the loss of every step, in nats per learned token.

    Raises:
        UserError: if a loss or a gradient stops being a number.
    """
    optimizer = _optimizer(model, dials)
    steps = len(batches.ids)
    losses: list[float] = []
    model.train()
    bar = progress(range(steps), "training", unit="step")
    for step in bar:
        for group in optimizer.param_groups:
            group["lr"] = dials.learning_rate * learning_rate_share(step, steps, dials)
        losses.append(_step(model, batches, step, optimizer, penalty=penalty, section=dials.section))
        bar.set_postfix(loss=f"{losses[-1]:.3f}", refresh=False)
    model.eval()
    return losses


def learning_rate_share(step: int, steps: int, dials: Dials) -> float:
    """Share of the peak learning rate at `step` (from 0): a linear rise, then a cosine or a line down to 0."""
    if step < dials.warmup_steps:
        return (step + 1) / dials.warmup_steps
    done = (step - dials.warmup_steps) / max(1, steps - dials.warmup_steps)
    return 0.5 * (1 + math.cos(math.pi * done)) if dials.schedule == "cosine" else 1 - done


def _optimizer(model: PeftModel, dials: Dials) -> torch.optim.Optimizer:
    import torch

    weights = [weight for weight in model.parameters() if weight.requires_grad]
    return torch.optim.AdamW(weights, lr=dials.learning_rate, weight_decay=0.0, fused=True)


def _step(
    model: PeftModel,
    batches: Batches,
    step: int,
    optimizer: torch.optim.Optimizer,
    *,
    penalty: Penalty | None,
    section: str,
) -> float:
    """One update; the mean loss of the step's learned tokens before it."""
    import torch

    loss = _backward(model, batches, step)
    require_number(loss, "loss", step + 1, section)
    if penalty is not None:
        penalty(model).backward()  # type: ignore[no-untyped-call]  # torch
    weights: list[Any] = [weight for group in optimizer.param_groups for weight in group["params"]]
    norm = torch.nn.utils.clip_grad_norm_(weights, MAX_GRADIENT_NORM)
    require_number(float(norm), "gradient norm", step + 1, section)
    optimizer.step()
    optimizer.zero_grad()
    return loss


def _backward(model: PeftModel, batches: Batches, step: int) -> float:
    """Leave the gradient of the step's mean loss in the weights, and return the loss."""
    import torch

    ids = torch.from_numpy(batches.ids[step]).to(model.device)
    labels = torch.from_numpy(batches.labels[step]).to(model.device)
    learned = int((labels[:, 1:] != UNLEARNED).sum())
    with autocast(model.device):
        loss = model(input_ids=ids, labels=labels, num_items_in_batch=learned).loss
    loss.backward()
    return float(loss.detach())
