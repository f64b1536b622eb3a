"""A model on each dimension, and on all of them together: means with intervals, spread, failures, the worst five.

qualities(scored_items(rows), seed=1729)["domain_accuracy"].mean      # Estimate(value=0.350, low=0.318, …)
composite(scored_items(rows), seed=1729)                              # Estimate(value=0.412, low=0.391, …)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from acclimate.model.choosing.dimensions import WEIGHTS, Scored
from acclimate.model.scoring.estimates import RESAMPLES, Estimate, estimate
from acclimate.model.statistics import bootstrap_totals, cluster_totals, percentile_interval

if TYPE_CHECKING:
    from acclimate.model.statistics import Floats

WORST = 5

Items = dict[str, list[Scored]]
"""Dimension to what a model got for each of its items."""


@dataclass(frozen=True)
class Worst:
    """One of the worst answers."""

    id: str
    about: str
    """The cluster of the item, which is called like what it is about."""
    score: float
    said: str


@dataclass(frozen=True)
class Quality:
    """A model on one dimension."""

    weight: float
    """In the composite score."""
    mean: Estimate
    sd: float
    """Of the items' scores; of a share p of right answers √(p(1 − p))."""
    minimum: float
    failures: Estimate
    """Share of the items that count as failures."""
    worst: list[Worst]


def qualities(items: Items, *, seed: int) -> dict[str, Quality]:
    """Every dimension that has items."""
    weights = shares(items)
    return {name: _quality(scored, weights[name], seed) for name, scored in items.items()}


def shares(items: Items) -> dict[str, float]:
    """The weights of the dimensions that have items, made to add up to 1."""
    total = sum(WEIGHTS[name] for name in items)
    return {name: WEIGHTS[name] / total for name in items}


def _quality(items: Sequence[Scored], weight: float, seed: int) -> Quality:
    clusters = [item.cluster for item in items]
    scores = np.array([item.score for item in items])
    ordered = sorted(items, key=lambda item: (item.score, -item.regret, item.id))
    return Quality(
        weight=round(weight, 6),
        mean=estimate(scores.tolist(), clusters, seed=seed),
        sd=round(float(scores.std(ddof=1)) if len(scores) > 1 else 0.0, 6),
        minimum=round(float(scores.min()), 6),
        failures=estimate([float(item.failed) for item in items], clusters, seed=seed),
        worst=[Worst(item.id, item.cluster, round(item.score, 6), item.said) for item in ordered[:WORST]],
    )


def composite(items: Items, *, seed: int) -> Estimate:
    """The weighted mean of the dimensions, its interval from clusters drawn for all dimensions at once."""
    return weighted({name: [item.score for item in scored] for name, scored in items.items()}, items, seed=seed)


def advantage(items: Items, other: Items, *, seed: int, confidence: float = 0.95) -> Estimate:
    """How far a model's composite is above another's, item by item.

    Raises:
        AssertionError: if the two were not asked the same.
    """
    differences = {}
    for name, scored in items.items():
        assert [item.id for item in scored] == [item.id for item in other[name]], name
        differences[name] = [own.score - its.score for own, its in zip(scored, other[name], strict=True)]
    return weighted(differences, items, seed=seed, confidence=confidence)


def weighted(values: dict[str, list[float]], items: Items, *, seed: int, confidence: float = 0.95) -> Estimate:
    """The mean over dimensions of the means of `values`, one per item, with the interval of a cluster bootstrap."""
    clusters = [item.cluster for scored in items.values() for item in scored]
    columns = np.zeros((len(clusters), 2 * len(items)))
    begin = 0
    for place, name in enumerate(items):
        rows = slice(begin, begin + len(values[name]))
        columns[rows, 2 * place], columns[rows, 2 * place + 1] = values[name], 1.0
        begin += len(values[name])
    totals = cluster_totals(columns, clusters)
    parts = np.array(list(shares(items).values()))
    value = float(_means(totals.sum(axis=0, keepdims=True))[0] @ parts)
    drawn = _means(bootstrap_totals(totals, resamples=RESAMPLES, seed=seed))
    # A draw without any item of a dimension says nothing; with a few items only it is rare.
    low, high = percentile_interval(drawn[~np.isnan(drawn).any(axis=1)] @ parts, confidence)
    return Estimate(round(value, 6), round(low, 6), round(high, 6), len(clusters), len(totals))


def _means(totals: Floats) -> Floats:
    """[draws, dimensions] from sums and numbers of items [draws, 2 × dimensions]; nan where there is no item."""
    numbers = totals[:, 1::2]
    means: Floats = np.divide(totals[:, ::2], numbers, out=np.full(numbers.shape, np.nan), where=numbers > 0)
    return means
