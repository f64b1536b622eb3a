"""How much a base has to gain from adaptation: what its language costs on the domain beyond what it costs in general.

    adaptation_potential({"domain_text": …, "general_text": …}, seed=1729)
    # Potential(share=Estimate(value=0.30, …), reading="much to gain: …")

The share of the bits of domain text that would be saved if the base wrote it as well as it writes general text:
1 − general bits per byte / domain bits per byte, 0 where the domain is not the harder of the two. It is what distance
between a model's texts and a domain is measured for (Gururangan et al. 2020, Don't Stop Pretraining, section 3.1: the
farther the domain, the larger the gain from training on it), seen from the model. It says how much room there is, not
that training will fill it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from acclimate.model.scoring.estimates import RESAMPLES, Estimate
from acclimate.model.scoring.lm_tasks import Row
from acclimate.model.statistics import bootstrap_totals, cluster_totals, percentile_interval

if TYPE_CHECKING:
    from acclimate.model.statistics import Floats

LITTLE, MUCH = 0.05, 0.20
"""Where the reading changes. Our own rule: the embedded base, whose cloze accuracy adaptation raises by a third, stands
at 0.3; 0.05 is what texts of one kind differ by among themselves."""


@dataclass(frozen=True)
class Potential:
    """Room for adaptation, and what that means."""

    share: Estimate
    """Of the bits of domain text (0–1)."""
    reading: str


def adaptation_potential(domain: Sequence[Row], general: Sequence[Row], *, seed: int) -> Potential:
    """From the rows of domain_text and general_text.

    The two texts are drawn apart from each other for the interval: no cluster is in both.
    """
    own, other = _per_byte(domain, seed), _per_byte(general, seed + 1)
    value = _share(own[:1], other[:1])[0]
    low, high = percentile_interval(_share(own[1:], other[1:]))
    clusters = {row["cluster"] for row in (*domain, *general)}
    found = Estimate(round(value, 6), round(low, 6), round(high, 6), len(domain) + len(general), len(clusters))
    return Potential(found, _reading(found))


def _per_byte(rows: Sequence[Row], seed: int) -> Floats:
    """Bits per byte of all rows, then of every bootstrap sample."""
    values = np.array([[-row["log_likelihood"] / math.log(2), row["bytes"]] for row in rows])
    totals = cluster_totals(values, [row["cluster"] for row in rows])
    drawn = bootstrap_totals(totals, resamples=RESAMPLES, seed=seed)
    every = np.concatenate([totals.sum(axis=0, keepdims=True), drawn])
    per_byte: Floats = every[:, 0] / every[:, 1]
    return per_byte


def _share(domain: Floats, general: Floats) -> Floats:
    share: Floats = np.maximum(0.0, 1 - general / domain)
    return share


def _reading(share: Estimate) -> str:
    saved = f"{share.value:.0%} of the bits of domain text would be saved if it were as familiar as general text"
    if share.low > MUCH:
        return f"much to gain: {saved}"
    if share.high < LITTLE:
        return f"little to gain: {saved}; the base knows the domain about as well as anything"
    return f"something to gain: {saved}"
