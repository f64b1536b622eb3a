"""Ways to make one change out of several: exactly, or within the rank of the largest.

    combined, kept = combine([domain, task], [1.0, 1.0], "ties", density=0.5, seed=1729)

peft's `add_weighted_adapter` (0.21.2) combines A with A and B with B for "linear", "ties" and "dare_linear",
which is no sum of the changes: (B₁ + B₂)(A₁ + A₂) holds B₁A₂ and B₂A₁, which nobody trained. It also keeps
rsLoRA's scaling for a result whose scaling should be 1 (huggingface/peft#3761). Here every method works on the
changes themselves, as the papers state it; the rules of TIES and DARE are peft's own functions on tensors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from acclimate.model.composing.changes import Change, Changes

if TYPE_CHECKING:
    import torch

Combination = Literal["cat", "linear", "ties", "dare"]
EXACT = "cat"
"""The combination that loses nothing: ranks add up."""

_OVERSAMPLING = 8
_POWER_ITERATIONS = 4
"""Of the randomised SVD; Halko, Martinsson & Tropp 2011 (section 4.5) advise 5–10 and 2–4."""


def combine(
    adapters: Sequence[Changes], weights: Sequence[float], combination: Combination, *, density: float, seed: int
) -> tuple[dict[str, Change], float]:
    """One adapter that does what `adapters` do together, each times its weight.

    Args:
        adapters: the changes of each; a layer may be absent from some.
        weights: one factor per adapter.
        combination: "cat" is the sum itself, its rank the sum of the ranks; "linear" the sum cut back to the
            largest rank; "ties" and "dare" as at their functions, cut back likewise.
        density: share of each change's entries that "ties" and "dare" keep (0–1).
        seed: of dare's choice, and of the randomised SVD.

    Returns:
        the changes by layer, and the share (0–1) of their squared size that the rank could hold.
    """
    import torch

    assert len(adapters) == len(weights) > 0, f"{len(adapters)} adapters, {len(weights)} weights"
    combined: dict[str, Change] = {}
    kept = wanted = 0.0
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for layer in sorted(set().union(*adapters)):
            weighted = zip(adapters, weights, strict=True)
            parts = [(adapter[layer], weight) for adapter, weight in weighted if layer in adapter]
            combined[layer], held, whole = _one_layer(parts, combination, density)
            kept, wanted = kept + held, wanted + whole
    return combined, kept / wanted if wanted else 1.0


def _one_layer(
    parts: Sequence[tuple[Change, float]], combination: Combination, density: float
) -> tuple[Change, float, float]:
    """The combined change of one layer, its squared size, and what that would be without a limit on the rank."""
    rank = max(change.down.shape[0] for change, _ in parts)
    if combination in ("cat", "linear"):
        total = concatenated(parts)
        if combination == "linear":
            return truncated(total, rank)
        return total, 1.0, 1.0
    changes = [(change.up @ change.down, weight) for change, weight in parts]
    return nearest(ties(changes, density) if combination == "ties" else dare(changes, density), rank)


def concatenated(parts: Sequence[tuple[Change, float]]) -> Change:
    """The weighted sum itself: [w₁B₁ w₂B₂] [A₁; A₂] = w₁B₁A₁ + w₂B₂A₂."""
    import torch

    return Change(
        up=torch.cat([change.up * weight for change, weight in parts], dim=1),
        down=torch.cat([change.down for change, _ in parts], dim=0),
    )


def truncated(change: Change, rank: int) -> tuple[Change, float, float]:
    """The nearest change of at most `rank` (Eckart & Young 1936), found without ever forming up @ down.

    Returns:
        the change, its squared Frobenius norm, and that of the change given.
    """
    import torch

    left, up = torch.linalg.qr(change.up)
    right, down = torch.linalg.qr(change.down.mT)
    u, values, v = torch.linalg.svd(up @ down.mT)
    root = values[:rank].sqrt()
    nearer = Change(up=left @ u[:, :rank] * root, down=root[:, None] * (v[:rank] @ right.mT))
    return nearer, float(values[:rank].square().sum()), float(values.square().sum())


def nearest(delta: torch.Tensor, rank: int) -> tuple[Change, float, float]:
    """Nearly the nearest change of at most `rank` to a dense one, by randomised SVD (Halko et al. 2011).

    Returns:
        the change, its squared Frobenius norm, and that of `delta`.
    """
    import torch

    u, values, v = torch.svd_lowrank(delta, q=min(rank + _OVERSAMPLING, *delta.shape), niter=_POWER_ITERATIONS)
    root = values[:rank].sqrt()
    nearer = Change(up=u[:, :rank] * root, down=root[:, None] * v[:, :rank].mT)
    return nearer, float(values[:rank].square().sum()), float(delta.square().sum())


def ties(changes: Sequence[tuple[torch.Tensor, float]], density: float) -> torch.Tensor:
    """Trim each change to its largest entries, elect a sign per entry, average what agrees (Yadav et al. 2023).

    An average, not a sum: where one change alone speaks, its entry counts in full.
    """
    import torch
    from peft.utils.merge_utils import ties as peft_ties

    deltas, weights = zip(*changes, strict=True)
    merged: torch.Tensor = peft_ties(list(deltas), torch.tensor(weights), density)
    return merged


def dare(changes: Sequence[tuple[torch.Tensor, float]], density: float) -> torch.Tensor:
    """Drop entries of each change at random, scale the rest up to keep the expectation, and add (Yu et al. 2024)."""
    import torch
    from peft.utils.merge_utils import dare_linear

    deltas, weights = zip(*changes, strict=True)
    merged: torch.Tensor = dare_linear(list(deltas), torch.tensor(weights), density)
    return merged
