"""Muon in float32: steps along the nearest orthogonal matrix of the gradient's momentum.

Keller Jordan et al. 2024, Muon: An optimizer for hidden layers in neural networks; learning rates scaled
as in Liu et al. 2025 (arXiv 2502.16982, section 2.2), so that AdamW's carry over. torch.optim.Muon (2.13)
does the same with its matrix products fixed to bfloat16. A CPU without instructions for that emulates them: a
pre-training step of the embedded model took 11.5 CPU-seconds there (AMD Zen 3), with this one 1.3. Here the
products are float32, and matrices of one shape are worked on as one batch.

Imported where it is used, because it imports torch.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic whose iteration takes every singular value to about 1 (Jordan et al.): 0.7 to 1.2 after 5 steps."""
STEPS = 5


class Muon(torch.optim.Optimizer):
    """For the matrices of hidden layers only; embeddings and vectors want AdamW."""

    def __init__(
        self, matrices: Iterable[torch.Tensor], *, lr: float, weight_decay: float, momentum: float = 0.95
    ) -> None:
        super().__init__(matrices, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step on every matrix that has a gradient, with Nesterov momentum."""
        assert closure is None, "a loss is never evaluated twice in a step here"
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[torch.Tensor]] = defaultdict(list)
            for matrix in group["params"]:
                if matrix.grad is not None:
                    by_shape[matrix.shape].append(matrix)
            for shape, matrices in by_shape.items():
                updates = orthogonal(torch.stack([self._direction(matrix, group) for matrix in matrices]))
                scale = 0.2 * math.sqrt(max(shape))  # the root mean square of AdamW's usual step
                for matrix, update in zip(matrices, updates, strict=True):
                    matrix.mul_(1 - group["lr"] * group["weight_decay"])
                    matrix.add_(update, alpha=-group["lr"] * scale)

    def _direction(self, matrix: torch.Tensor, group: dict[str, Any]) -> torch.Tensor:
        assert matrix.grad is not None
        state = self.state[matrix]
        if not state:
            state["momentum"] = torch.zeros_like(matrix)
        state["momentum"].lerp_(matrix.grad, 1 - group["momentum"])
        return matrix.grad.lerp(state["momentum"], group["momentum"])


def orthogonal(matrices: torch.Tensor) -> torch.Tensor:
    """[matrices, rows, columns]: each with its singular values brought near 1, its singular vectors kept."""
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    a, b, c = COEFFICIENTS
    for _ in range(STEPS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x
