"""A metric by difficulty, category, source …, and whether groups differ by more than chance.

    slices(rows, "correct", seed=1729)      # {"difficulty": {"easy": Estimate(…), …}, …}
    group_gap(rows, "correct", "group", seed=1729)

A group here is whatever the data call one: a field of the evaluation examples. Of `group` itself, which names one
thing (numpy.argsort), what stands before the first dot counts, so that numpy is a group.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from acclimate.model.scoring.estimates import RESAMPLES, Estimate, estimate
from acclimate.model.scoring.lm_tasks import Row
from acclimate.model.statistics import bootstrap_totals, cluster_totals, percentile_interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from acclimate.model.statistics import Floats

FIELDS = ("difficulty", "domain_category", "source_kind", "source", "type")
"""What rows of the evaluation set's tasks are sliced by."""
MIN_ITEMS = 10
"""A slice with fewer says next to nothing and is put with the other small ones, as OTHERS."""
OTHERS = "(fewer than 10 each)"
MIN_GROUP_ITEMS = 20
"""Groups with fewer are not compared: the gap between the smallest would be noise."""


@dataclass(frozen=True)
class Gap:
    """The best and the worst off of some groups."""

    field: str
    groups: dict[str, Estimate]
    """Those with MIN_GROUP_ITEMS items, best first."""
    left_out: int
    """Items in smaller groups."""
    gap: float | None
    """Best minus worst; None where there are not two groups."""
    low: float | None
    high: float | None
    """95 % interval of the gap; like the gap itself it is above 0 even if the groups are alike."""
    p_value: float | None
    """How often a gap this large would come about if it did not matter which group an item is in."""


def slices(rows: Sequence[Row], metric: str, *, seed: int) -> dict[str, dict[str, Estimate]]:
    """The mean of `metric` per field and value; a field with one value only tells nothing and is left out."""
    found = {field: _by_value(rows, metric, field, seed) for field in FIELDS}
    return {field: values for field, values in found.items() if len(values) > 1}


def group_gap(rows: Sequence[Row], metric: str, field: str, *, seed: int) -> Gap:
    """Compare the groups of `field`.

    The interval is a bootstrap over clusters, the p-value a permutation of groups among clusters (Good 2005):
    the difference between largest and smallest mean is never below 0, so its interval alone cannot tell luck.
    """
    members: dict[str, list[Row]] = {}
    for row in rows:
        members.setdefault(group_of(row, field), []).append(row)
    large = {name: of for name, of in sorted(members.items()) if len(of) >= MIN_GROUP_ITEMS}
    groups = {name: _estimate(of, metric, seed) for name, of in large.items()}
    best_first = dict(sorted(groups.items(), key=lambda one: -one[1].value))
    left_out = len(rows) - sum(len(of) for of in large.values())
    if len(large) < 2:
        return Gap(field, best_first, left_out, None, None, None, None)
    totals, owner = _totals(large, metric)
    drawn = _spread(_per_group(totals, owner, len(large), seed))
    values = [of.value for of in groups.values()]
    low, high = percentile_interval(drawn)
    gap = max(values) - min(values)
    return Gap(field, best_first, left_out, round(gap, 6), round(low, 6), round(high, 6), _p(totals, owner, seed))


def group_of(row: Row, field: str) -> str:
    """The group of a row: the value of `field`, of `group` up to its first dot."""
    return str(row[field]).partition(".")[0] if field == "group" else str(row[field])


def _by_value(rows: Sequence[Row], metric: str, field: str, seed: int) -> dict[str, Estimate]:
    members: dict[str, list[Row]] = {}
    for row in rows:
        members.setdefault(str(row[field]), []).append(row)
    large = {value: of for value, of in sorted(members.items()) if len(of) >= MIN_ITEMS}
    small = [row for value, of in members.items() if value not in large for row in of]
    if small and large:
        large[OTHERS] = small
    return {value: _estimate(of, metric, seed) for value, of in large.items()}


def _estimate(rows: Sequence[Row], metric: str, seed: int) -> Estimate:
    return estimate([float(row[metric]) for row in rows], [row["cluster"] for row in rows], seed=seed)


def _totals(groups: dict[str, list[Row]], metric: str) -> tuple[Floats, NDArray[np.int64]]:
    """Sum and number of items of each cluster in each group [cells, 2], and the number of its group [cells]."""
    parts, owner = [], []
    for number, rows in enumerate(groups.values()):
        values = np.array([[float(row[metric]), 1.0] for row in rows])
        totals = cluster_totals(values, [row["cluster"] for row in rows])
        parts.append(totals)
        owner += [number] * len(totals)
    return np.concatenate(parts), np.array(owner)


def _per_group(totals: Floats, owner: NDArray[np.int64], groups: int, seed: int) -> Floats:
    """Bootstrap means [resamples, groups]; clusters are drawn within their group, whose size is given."""
    means = []
    for number in range(groups):
        drawn = bootstrap_totals(totals[owner == number], resamples=RESAMPLES, seed=seed + number)
        means.append(drawn[:, 0] / drawn[:, 1])
    return np.stack(means, axis=1)


def _spread(means: Floats) -> Floats:
    spread: Floats = means.max(axis=1) - means.min(axis=1)
    return spread


def _p(totals: Floats, owner: NDArray[np.int64], seed: int) -> float:
    """The share of permutations with a gap at least as large, the observed one among them (Phipson & Smyth 2010)."""
    groups = int(owner.max()) + 1
    chance = np.random.default_rng(seed)
    assigned = np.stack([owner, *(chance.permutation(owner) for _ in range(RESAMPLES))])
    # One group at a time: all at once would be a table of permutations × clusters × groups.
    sums = np.stack([(assigned == number).astype(float) @ totals for number in range(groups)], axis=1)
    gaps = _spread(sums[:, :, 0] / sums[:, :, 1])
    return float(np.mean(gaps >= gaps[0] - 1e-12))
