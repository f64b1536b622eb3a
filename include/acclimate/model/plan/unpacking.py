"""A layer in four bits as a trace has to see it: its weights are made for each product anew, and dropped after it.

    as_unpacking(model)     # its linear layers now hold what bitsandbytes' would hold, while a step is traced

bitsandbytes' own layers keep their scales in Python objects that know nothing of tensors without data (0.50, November
2026). Imported where it is used, because it imports torch.
"""

from __future__ import annotations

from typing import Any

import torch

from acclimate.model.precision import has_bfloat16
from acclimate.model.training.nf4 import linear_layers


def as_unpacking(model: Any) -> None:
    """Have every layer that `pack` would put into four bits unpack its weights for every product."""
    for layer in linear_layers(model).values():
        layer.__class__ = _Unpacking  # what it holds is the trace's own affair: nf4.packed_bytes


class _Unpacking(torch.nn.Linear):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        computed = torch.bfloat16 if has_bfloat16(x.device) else torch.float32
        y: torch.Tensor = _Product.apply(x.to(computed), self.weight, self.bias)  # type: ignore[no-untyped-call]
        return y.to(x.dtype)


class _Product(torch.autograd.Function):
    """W x + b, W unpacked in float32 and rounded to the precision of x: on the way there, and on the way back."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        ctx.weight = weight
        return torch.nn.functional.linear(x, _unpacked(weight, x.dtype), bias)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        of_x = gradient @ _unpacked(ctx.weight, gradient.dtype) if ctx.needs_input_grad[0] else None
        return of_x, None, None


def _unpacked(weight: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    return torch.empty_like(weight, dtype=torch.float32).to(dtype)
