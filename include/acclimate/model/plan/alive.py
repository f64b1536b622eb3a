"""What tensors are alive while something is computed, and how many bytes they are at most.

    with Alive(model, vocabulary=4096) as alive:
        loss(model).backward()
    alive.most      # Made(total=291_000_000, gradients=0, logits=92_000_000): bytes, at the moment when there were most
    alive.flops     # floating-point operations of all matrix products

Works on torch's fake tensors as on real ones: of both the storage is there as long as somebody holds it.
torch's own MemTracker refuses models with frozen weights, and its FlopCounterMode keeps what modules return alive until
their backward pass, so that nothing looks checkpointed (torch 2.13, November 2026); the formulas are its.

Imported where it is used, because it imports torch.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry
from torch.utils.weak import WeakIdKeyDictionary


@dataclass(frozen=True)
class Made:
    """Bytes of what was made and is still there."""

    total: int = 0
    gradients: int = 0
    """Of them, gradients of the weights."""
    logits: int = 0
    """Of them, tensors with one number per word of the vocabulary: logits, log-probabilities, their gradients."""


class Alive(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch
    """Counts the storages of what operations return, each once, until it is freed."""

    def __init__(self, model: torch.nn.Module, vocabulary: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch
        self.most = Made()
        self.flops = 0
        self._trained = [weight for weight in model.parameters() if weight.requires_grad]
        self._vocabulary = vocabulary
        self._now = self._logits = 0
        self._known = WeakIdKeyDictionary()
        for tensor in (*model.parameters(), *model.buffers()):
            self._known[tensor.untyped_storage()] = True

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Compute as without the mode, and count what is new."""
        result = func(*args, **(kwargs or {}))
        if (formula := flop_registry.get(func.overloadpacket)) is not None:
            self.flops += formula(*args, **(kwargs or {}), out_val=result)
        for value in tree_leaves(result):
            if isinstance(value, torch.Tensor):
                self._count(value.untyped_storage(), wide=value.shape[-1:] == (self._vocabulary,))
        return result

    def _count(self, storage: torch.UntypedStorage, *, wide: bool) -> None:
        if storage in self._known:
            return
        size = storage.nbytes()
        self._known[storage] = True
        weakref.finalize(storage, self._add, -size, wide)
        self._add(size, wide)
        if self._now > self.most.total:
            gradients = sum(weight.grad.nbytes for weight in self._trained if weight.grad is not None)
            self.most = Made(self._now, gradients, self._logits)

    def _add(self, size: int, wide: bool) -> None:
        self._now += size
        self._logits += size if wide else 0
