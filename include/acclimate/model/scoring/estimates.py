"""A mean over items with its 95 % interval, for every metric alike.

    estimate([1, 0, 1, 1], ["a", "a", "b", "c"], seed=1729)
    # Estimate(value=0.75, low=0.301, high=0.954, n=4, clusters=3)

A share of right answers has Wilson's interval, which stays sensible where all or none are right; any other mean the
percentile interval of a bootstrap over clusters (statistics.py, with sources).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from acclimate.model.statistics import bootstrap_totals, cluster_totals, percentile_interval, wilson_interval

RESAMPLES = 2000
"""Of every interval here; Efron & Tibshirani 1993 ask for 1,000 or more."""


@dataclass(frozen=True)
class Estimate:
    """A mean of `n` items in `clusters` and the ends of its 95 % interval."""

    value: float
    low: float
    high: float
    n: int
    clusters: int


def estimate(values: Sequence[float], clusters: Sequence[str], *, seed: int) -> Estimate:
    """The mean of `values`, one per item; `clusters` names what items belong together.

    Raises:
        AssertionError: if there are no values.
    """
    assert len(values) == len(clusters) > 0
    if all(value in (0, 1) for value in values):
        low, high = wilson_interval(int(sum(values)), len(values))
        return _rounded(float(np.mean(values)), low, high, clusters)
    return ratio(values, [1.0] * len(values), clusters, seed=seed)


def ratio(values: Sequence[float], weights: Sequence[float], clusters: Sequence[str], *, seed: int) -> Estimate:
    """The sum of `values` over that of `weights`, e.g. bits over bytes, with its bootstrap interval."""
    assert len(values) == len(clusters) > 0
    totals = cluster_totals(np.column_stack([values, weights]).astype(float), clusters)
    drawn = bootstrap_totals(totals, resamples=RESAMPLES, seed=seed)
    low, high = percentile_interval(drawn[:, 0] / drawn[:, 1])
    value = totals[:, 0].sum() / totals[:, 1].sum()
    return _rounded(float(value), low, high, clusters)


def _rounded(value: float, low: float, high: float, clusters: Sequence[str]) -> Estimate:
    return Estimate(round(value, 6), round(low, 6), round(high, 6), len(clusters), len(set(clusters)))
