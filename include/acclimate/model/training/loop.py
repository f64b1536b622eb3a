"""The steps themselves: forward, backward, clip, AdamW, at a learning rate that rises and falls.

    fitted = fit(model, objective, dials, journal=journal)

Given the same objective it takes the steps of transformers' Trainer with its defaults (AdamW with betas .9 and .999, no
decay, gradients clipped to norm 1), without what a general trainer does besides.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from acclimate.core.progress import progress
from acclimate.model.precision import autocast
from acclimate.model.training.checkpoints import Journal, Position
from acclimate.model.training.guards import no_memory, out_of_memory, require_convergence, require_number
from acclimate.model.training.sharding import clip, is_spread
from acclimate.model.training.share import ALONE, Share

if TYPE_CHECKING:
    import torch
    from peft import PeftModel

    Penalty = Callable[[PeftModel], torch.Tensor]
    """What is added to the loss of every step, once, as a function of the weights: a scalar."""

MAX_GRADIENT_NORM = 1.0
"""Larger gradients are scaled down to it (Pascanu et al. 2013); the default of transformers' Trainer."""


@dataclass(frozen=True)
class Objective:
    """What the steps lower; in parts, because a whole step may be more than memory holds."""

    steps: int
    rows: int
    """Of every step: what memory that runs out is met by halving."""
    loss: Callable[[int, slice], torch.Tensor]
    """A step (from 0) and some of its rows to their part of the step's loss: the parts of all rows add up to it."""


@dataclass(frozen=True)
class Dials:
    """How the steps are taken."""

    section: str
    """Of params.yaml: where the dials stand that a message tells to change."""
    learning_rate: float
    schedule: Literal["cosine", "linear"]
    warmup_steps: int
    rows_at_once: int
    """Rows per forward pass of a process; a step's gradient is that of all its rows whatever this is."""


@dataclass(frozen=True)
class Fitted:
    """How training went."""

    losses: list[float]
    """Of every step, in nats, before its update."""
    rows_at_once: int
    """As it was in the end."""
    halved: bool
    """Whether memory ran out, once, and the rows at once were halved."""


@dataclass
class _Run:
    """One training run on its way."""

    model: PeftModel
    objective: Objective
    dials: Dials
    penalty: Penalty | None
    optimizer: torch.optim.Optimizer
    share: Share
    seed: int
    """Of what the steps draw, where there are several processes."""
    rows_at_once: int
    halved: bool = False
    losses: list[float] = field(default_factory=list)


def fit(
    model: PeftModel,
    objective: Objective,
    dials: Dials,
    *,
    journal: Journal | None = None,
    penalty: Penalty | None = None,
    share: Share = ALONE,
) -> Fitted:
    """Train the trainable weights of `model` in place.

    Args:
        model: in which some weights require a gradient.
        objective: its steps are taken in order, once.
        dials: how.
        journal: checkpoints to go on from and to write; None keeps none.
        penalty: is added to every step's loss; what is reported is the loss without it.
        share: of the steps' rows, where several processes take them; each calls this with its own.

    Raises:
        UserError: if a loss or a gradient stops being a number, training diverges, or memory runs out twice.
    """
    import torch

    from acclimate.model.training.fused import fused

    seed = torch.initial_seed()
    run = _Run(model, objective, dials, penalty, _optimizer(model, dials), share, seed, dials.rows_at_once)
    if journal is not None and (found := share.in_turn(lambda: journal.resume(model, run.optimizer))):
        run.losses, run.rows_at_once, run.halved = found.losses, found.rows_at_once, found.halved
    steps = objective.steps
    model.train()
    with fused(model):
        bar = progress(range(len(run.losses), steps), "training", unit="step")
        for step in bar:
            _step(run, step)
            bar.set_postfix(loss=f"{run.losses[-1]:.3f}", refresh=False)
            if journal is not None and journal.due(step + 1, steps):
                position = Position(step + 1, run.losses, run.rows_at_once, run.halved)
                journal.write(position, model, run.optimizer, leads=share.leads)
    model.eval()
    return Fitted(run.losses, run.rows_at_once, run.halved)


def learning_rate_share(step: int, steps: int, dials: Dials) -> float:
    """Share of the peak learning rate at `step` (from 0): a linear rise, then a cosine or a line down to 0."""
    if step < dials.warmup_steps:
        return (step + 1) / dials.warmup_steps
    done = (step - dials.warmup_steps) / max(1, steps - dials.warmup_steps)
    return 0.5 * (1 + math.cos(math.pi * done)) if dials.schedule == "cosine" else 1 - done


def _optimizer(model: PeftModel, dials: Dials) -> torch.optim.Optimizer:
    import torch

    weights = [weight for weight in model.parameters() if weight.requires_grad]
    # One kernel takes tensors that are spread over processes, or such that are not.
    groups = [[weight for weight in weights if is_spread(weight) == spread] for spread in (False, True)]
    together = [{"params": group} for group in groups if group]
    return torch.optim.AdamW(together, lr=dials.learning_rate, weight_decay=0.0, fused=True)


def _step(run: _Run, step: int) -> None:
    """One update; its loss joins `run.losses`."""
    section = run.dials.section
    weights: list[Any] = [weight for group in run.optimizer.param_groups for weight in group["params"]]
    run.share.draw_anew(run.seed, step)
    loss = _backward_within_memory(run, step)
    if run.penalty is not None and run.share.leads:
        run.penalty(run.model).backward()  # type: ignore[no-untyped-call]  # torch
    loss = run.share.summed(weights, loss)
    require_number(loss, "loss", step + 1, section)
    run.losses.append(loss)
    require_convergence(run.losses, section)
    norm = clip(weights, MAX_GRADIENT_NORM)
    require_number(norm, "gradient norm", step + 1, section)
    for group in run.optimizer.param_groups:
        group["lr"] = run.dials.learning_rate * learning_rate_share(step, run.objective.steps, run.dials)
    run.optimizer.step()
    run.optimizer.zero_grad()


def _backward_within_memory(run: _Run, step: int) -> float:
    """`_backward`; if memory runs out, once in a run, again from the step's beginning with half the rows at once."""
    import torch

    drawn = torch.get_rng_state()
    try:
        return _backward(run, step)
    except (MemoryError, RuntimeError) as fault:
        if not out_of_memory(fault):
            raise
        # Where blocks are gathered from all processes, all have to compute as often.
        if run.halved or run.rows_at_once == 1 or any(is_spread(weight) for weight in run.model.parameters()):
            raise no_memory(run.rows_at_once, run.halved, run.dials.section) from None
    # Outside the handler, whose traceback holds on to what the failed pass had allocated.
    run.rows_at_once, run.halved = -(-run.rows_at_once // 2), True
    print(f"memory ran out at step {step + 1}: on with {run.rows_at_once} sequences per forward pass", flush=True)
    run.optimizer.zero_grad()
    torch.set_rng_state(drawn)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return _backward_within_memory(run, step)


def _backward(run: _Run, step: int) -> float:
    """Leave the gradient of this process's rows of the step in the weights, and return their part of the loss."""
    total = 0.0
    own = run.share.rows(run.objective.rows)
    for begin in range(own.start, own.stop, run.rows_at_once):
        with autocast(run.model.device):
            loss = run.objective.loss(step, slice(begin, min(begin + run.rows_at_once, own.stop)))
        loss.backward()  # type: ignore[no-untyped-call]  # torch
        total += float(loss.detach())
    return total
