"""What stops a training run before it wastes hours."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from acclimate.core.errors import UserError

if TYPE_CHECKING:
    import torch


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


def require_finite(model: torch.nn.Module, step: int, section: str) -> None:
    """The last step's loss was computed before its update: look at the weights themselves."""
    for weight in model.parameters():
        if weight.requires_grad:
            require_number(float(weight.detach().sum()), "sum of a weight", step, section)
