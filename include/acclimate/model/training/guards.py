"""What stops a training run before it wastes hours: no number, divergence, no memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from acclimate.core.errors import UserError
from acclimate.model.training.sharding import whole

if TYPE_CHECKING:
    import torch

WINDOW = 10
"""Steps whose mean counts: single losses leap, and mostly come back (Chowdhery et al. 2022, PaLM, section 5.1)."""
EXCESS = 2.0
"""Nats above the first loss at which training has diverged: seven times as perplexed as before it began.

Our own rule. An adapter begins as nothing, so the first loss is that of the model it is trained beside, and training
that makes that so much worse is not worth going on with. The margin is wide because the first loss is of one step's
texts, and with a few dozen learned tokens a step another step's are easily a nat and a half harder.
"""


def require_number(value: float, what: str, step: int, section: str) -> None:
    """Raise UserError if `value` is no finite number.

    Args:
        value: of this step.
        what: it is, e.g. "loss".
        step: from 1.
        section: of params.yaml, where the dials stand that decide.
    """
    if not math.isfinite(value):
        raise UserError(
            f"the {what} of training became {value} at step {step}",
            why="every weight after it would be nonsense",
            fix=f"lower {section}.learning_rate in params.yaml, or raise {section}.warmup_share",
        )


def require_convergence(losses: Sequence[float], section: str) -> None:
    """Raise UserError if the last WINDOW of `losses` are on average more than EXCESS above the first."""
    if len(losses) <= WINDOW:
        return
    recent = sum(losses[-WINDOW:]) / WINDOW
    if recent > losses[0] + EXCESS:
        raise UserError(
            f"training diverged: the mean loss of the {WINDOW} steps up to step {len(losses)} is {recent:.2f}, and was "
            f"{losses[0]:.2f} before the first step",
            why="the model knows less than it did without training, and seldom comes back",
            fix=f"lower {section}.learning_rate in params.yaml, for instance to a third, or raise "
            f"{section}.warmup_share",
        )


def require_finite(model: torch.nn.Module, step: int, section: str) -> None:
    """The last step's loss was computed before its update: look at the weights themselves."""
    for weight in model.parameters():
        if weight.requires_grad:
            require_number(float(whole(weight.detach()).sum()), "sum of a weight", step, section)


def out_of_memory(fault: BaseException) -> bool:
    """Whether `fault` says that memory ran out, on a GPU or in the process."""
    import torch

    if isinstance(fault, MemoryError | torch.OutOfMemoryError):
        return True
    # What torch raises on a CPU is a plain RuntimeError (c10/core/impl/alloc_cpu.cpp, torch 2.13).
    return isinstance(fault, RuntimeError) and "DefaultCPUAllocator" in str(fault)


def no_memory(rows: int, halved: bool, section: str) -> UserError:
    """The error for memory that ran out where nothing is left to halve, or a second time."""
    again = "again, " if halved else ""
    return UserError(
        f"memory ran out {again}with {rows} sequence{'s' if rows > 1 else ''} per forward pass",
        why="no step can be finished",
        fix=f"set training.gradient_checkpointing to true, lower {section}.sequence_tokens, or use a smaller base",
    )
