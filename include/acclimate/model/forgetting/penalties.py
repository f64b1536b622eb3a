"""What a change of the weights costs, added to the training loss: EWC and L2-SP.

    loss = loss + ewc(changes_of(model), fisher, weight=1.0)

Both are stated on the change an adapter makes to the base's weights, ΔW = scaling · B A, not on A and B:
before training B is 0, so the Fisher information of A is 0 too and that of B depends on a random A. What
must not be disturbed are the base's weights, and ΔW is how far they are from where they were. Where all weights are
trained ΔW is the difference itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from acclimate.model.composing.changes import Change
from acclimate.model.training.full import copies

if TYPE_CHECKING:
    import torch
    from peft import PeftModel


class Moved(NamedTuple):
    """What was added to a weight that is trained itself."""

    by: torch.Tensor


Changes = Mapping[str, Change | Moved]
"""By the name of the linear layer, or of the weight that is trained itself."""


def changes_of(model: PeftModel) -> dict[str, Change | Moved]:
    """The change that the active adapter makes to every layer, gradients flowing into it."""
    from peft.tuners.lora import LoraLayer

    if whole := copies(model):
        return {name: Moved(trained - own) for name, (own, trained) in whole.items()}
    adapter = model.active_adapter
    return {
        name: Change(up=module.lora_B[adapter].weight * module.scaling[adapter], down=module.lora_A[adapter].weight)
        for name, module in model.get_base_model().named_modules()
        if isinstance(module, LoraLayer)
    }


def ewc(changes: Changes, fisher: Mapping[str, torch.Tensor], weight: float) -> torch.Tensor:
    """Elastic weight consolidation: λ/2 · Σ F ΔW² (Kirkpatrick et al. 2017, equation 3).

    With a Fisher information per token, as `diagonal_fisher` gives it, this is λ times the rise of the general
    text's loss that its second-order expansion with a diagonal Hessian predicts, in nats per token: at λ = 1
    a nat forgotten costs what a nat learnt is worth.

    Args:
        changes: of every adapted layer.
        fisher: of the same layers, shape [out, in].
        weight: λ, without unit.
    """
    import torch

    costs = [(fisher[name] * _delta(change).square()).sum() for name, change in changes.items()]
    return weight / 2 * torch.stack(costs).sum()


def l2_sp(changes: Changes, weight: float) -> torch.Tensor:
    """L2 distance to the starting point: α/2 · Σ ΔW² (Li, Grandvalet & Davoine 2018, equation 2).

    ‖BA‖² is the trace of (BᵀB)(AAᵀ), two matrices of the rank's size: ΔW itself is never formed.

    Args:
        changes: of every adapted layer.
        weight: α, in nats per token per squared weight.
    """
    import torch

    return weight / 2 * torch.stack([_squared(change) for change in changes.values()]).sum()


def _delta(change: Change | Moved) -> torch.Tensor:
    return change.by if isinstance(change, Moved) else change.up @ change.down


def _squared(change: Change | Moved) -> torch.Tensor:
    if isinstance(change, Moved):
        return change.by.square().sum()
    return ((change.up.mT @ change.up) * (change.down @ change.down.mT)).sum()
