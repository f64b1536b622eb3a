"""What a test set can show: the smallest gain it finds, and how many items another gain would take.

    design = Design(items=800, effect=1.3, discordance=0.3)
    power_of(0.05, design, alpha=0.05)          # 0.73: how often a true gain of 5 points is found
    detectable(design, alpha=0.05, power=0.8)   # 0.0549: the gain found 4 times in 5
    items_needed(0.03, design, alpha=0.05, power=0.8)

The exact test of two models on the same items looks only at items that one answers right and the other does
not. With their share ψ (discordance) and a true difference δ, a one-sided test at level α finds it with power
Φ((δ√n − z_α√ψ) / √(ψ − δ²)) (Miettinen 1968; Connor 1987, the unconditional formula). Items of one cluster
say less than independent ones: n items count as n / design effect (Kish 1965, ch. 8).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from acclimate.model.statistics import cluster_totals

if TYPE_CHECKING:
    from acclimate.model.statistics import Floats


@dataclass(frozen=True)
class Design:
    """What a paired test has to work with."""

    items: int
    effect: float
    """Design effect: how many clustered items say as much as one independent item."""
    discordance: float
    """Share of items (0–1) that one of the two models answers right and the other does not."""

    @property
    def independent(self) -> float:
        """As many independent items would say as much."""
        return self.items / self.effect


def z(probability: float) -> float:
    """The value that a standard normal variable exceeds with this probability: 1.645 for 0.05."""
    return -NormalDist().inv_cdf(probability)


def power_of(difference: float, design: Design, *, alpha: float) -> float:
    """How often (0–1) a test at level `alpha` finds a true `difference` in the share answered right."""
    spread = design.discordance - difference**2
    distance = difference * math.sqrt(design.independent) - z(alpha) * math.sqrt(design.discordance)
    if spread <= 0:
        return float(distance > 0)
    return NormalDist().cdf(distance / math.sqrt(spread))


def detectable(design: Design, *, alpha: float, power: float) -> float | None:
    """The smallest true difference found with `power`; None where none is, however large.

    Connor's formula solved for δ: a quadratic. A difference is at most the discordance.
    """
    n, psi, a, b = design.independent, design.discordance, z(alpha), z(1 - power)
    root = a * a * psi * n - (n + b * b) * (a * a - b * b) * psi
    if root < 0 or not psi:
        return None
    difference = (a * math.sqrt(psi * n) + math.copysign(math.sqrt(root), b)) / (n + b * b)
    return difference if difference <= psi else None


def items_needed(difference: float, design: Design, *, alpha: float, power: float) -> int | None:
    """Items, of the same clustering, with which a true `difference` is found with `power`; None if there is none.

    Connor 1987: n = (z_α√ψ + z_β√(ψ − δ²))² / δ², times the design effect.
    """
    if difference <= 0:
        return None
    spread = math.sqrt(max(0.0, design.discordance - difference**2))
    root = z(alpha) * math.sqrt(design.discordance) + z(1 - power) * spread
    return math.ceil(design.effect * (root / difference) ** 2)


def items_to_separate(distance: float, error: float, items: int, *, alpha: float, power: float) -> int | None:
    """Items with which an estimate `distance` away from a limit is told from it, given its standard `error` now.

    Errors shrink with the root of the number of items; None if the distance is zero.
    """
    if not distance or not math.isfinite(error):
        return None
    return math.ceil(items * ((z(alpha) + z(1 - power)) * error / distance) ** 2)


def expected_effect(values: Sequence[float] | Floats, clusters: Sequence[str]) -> float:
    """The design effect to expect of clusters in which one model's `values` [items] are alike to this degree.

    1 + ρ(m′ − 1) with m′ = Σm²/Σm for clusters of unequal size (Kish 1965), ρ the intraclass correlation by
    analysis of variance (Donner & Koval 1980), taken as zero where it comes out below.
    """
    sums = cluster_totals(np.column_stack([values, np.ones(len(values))]), clusters)
    items, groups = len(values), len(sums)
    sizes: Floats = sums[:, 1]
    if groups in (1, items):
        return 1.0
    means = sums[:, 0] / sizes
    everything = np.square(values).sum()
    inside = everything - (sums[:, 0] * means).sum()
    between = (sizes * np.square(means - np.mean(values))).sum()
    ms_between, ms_inside = between / (groups - 1), inside / (items - groups)
    usual = (items - np.square(sizes).sum() / items) / (groups - 1)
    total = ms_between + (usual - 1) * ms_inside
    correlation = (ms_between - ms_inside) / total if total else 0.0
    return float(1 + max(0.0, correlation) * (np.square(sizes).sum() / items - 1))
