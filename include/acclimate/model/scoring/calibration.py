"""Whether a model that is sure is right: expected calibration error, Brier score, reliability diagram.

    calibration([[-1.2, -3.4, -2.9, -4.0]], [0], ["numpy.savetxt"], seed=1729)

A cloze item's log-likelihoods become probabilities of its choices by the softmax; the confidence is that of the
choice taken. ECE is the gap between confidence and share of right answers, averaged over bins of equal width
weighted by their items (Naeini et al. 2015; Guo et al. 2017, section 2, whose bins these are: 15). The Brier score is
the squared distance of the probabilities from the truth, summed over the choices (Brier 1950): 0 at best, 2 at worst,
0.75 where four choices are held equally likely.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from acclimate.model.scoring.estimates import RESAMPLES, Estimate, estimate
from acclimate.model.statistics import bootstrap_totals, cluster_totals, percentile_interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from acclimate.model.statistics import Floats

BINS = 15


@dataclass(frozen=True)
class Bin:
    """Items whose confidence lies in one interval."""

    low: float
    high: float
    n: int
    confidence: float
    """Mean of theirs."""
    accuracy: float
    """Share of them answered right."""


@dataclass(frozen=True)
class Calibration:
    """How far confidence and being right are apart."""

    ece: Estimate
    """Biased upwards in small samples, since chance gaps do not cancel out (Kumar et al. 2019); so is its interval."""
    brier: Estimate
    confidence: float
    accuracy: float
    bins: list[Bin]
    """Those with items, from unsure to sure."""


def calibration(
    log_likelihoods: Sequence[Sequence[float]], labels: Sequence[int], clusters: Sequence[str], *, seed: int
) -> Calibration:
    """Compare the confidence of every item with whether it was answered right.

    Args:
        log_likelihoods: of every choice of each item, in nats; items may have different numbers of choices.
        labels: the right choice of each item.
        clusters: what items belong together, for the intervals.
        seed: of the bootstrap.
    """
    chances = [probabilities(values) for values in log_likelihoods]
    confidence = np.array([values.max() for values in chances])
    right = np.array([values.argmax() == label for values, label in zip(chances, labels, strict=True)], dtype=float)
    distances = [brier(values, label) for values, label in zip(chances, labels, strict=True)]
    return Calibration(
        ece=_ece(confidence, right, clusters, seed),
        brier=estimate(distances, clusters, seed=seed),
        confidence=round(float(confidence.mean()), 6),
        accuracy=round(float(right.mean()), 6),
        bins=_bins(confidence, right),
    )


def probabilities(log_likelihoods: Sequence[float]) -> Floats:
    """The softmax: what the model would bet on each choice if one of them is right."""
    values = np.asarray(log_likelihoods, dtype=float)
    weights = np.exp(values - values.max())
    chances: Floats = weights / weights.sum()
    return chances


def brier(chances: Floats, label: int) -> float:
    """Squared distance of the probabilities of the choices [choices] from certainty of `label`."""
    truth = np.zeros(len(chances))
    truth[label] = 1.0
    return float(((chances - truth) ** 2).sum())


def expected_calibration_error(confidence: Floats, right: Floats) -> float:
    """Mean of |share right − mean confidence| over the bins, each weighted by its items.

    Args:
        confidence: of the choice taken, [items], 0-1.
        right: 1 where it was the right one, [items].
    """
    return float(_gap(_per_bin(confidence, right).sum(axis=0, keepdims=True))[0])


def _ece(confidence: Floats, right: Floats, clusters: Sequence[str], seed: int) -> Estimate:
    totals = cluster_totals(_per_bin(confidence, right), clusters)
    low, high = percentile_interval(_gap(bootstrap_totals(totals, resamples=RESAMPLES, seed=seed)))
    value = expected_calibration_error(confidence, right)
    return Estimate(round(value, 6), round(low, 6), round(high, 6), len(clusters), len(totals))


def _per_bin(confidence: Floats, right: Floats) -> Floats:
    """Each item's (confidence − right, 1) in the columns of its bin: [items, 2 × BINS]."""
    places = _places(confidence)
    columns = np.zeros((len(confidence), 2 * BINS))
    rows = np.arange(len(confidence))
    columns[rows, places] = confidence - right
    columns[rows, BINS + places] = 1.0
    return columns


def _gap(totals: Floats) -> Floats:
    """The error of each row of sums per bin [samples, 2 × BINS]."""
    gaps: Floats = np.abs(totals[:, :BINS]).sum(axis=1) / totals[:, BINS:].sum(axis=1)
    return gaps


def _places(confidence: Floats) -> NDArray[np.int64]:
    """The bin of each confidence; bins are open below and closed above, as in Guo et al."""
    return np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)


def _bins(confidence: Floats, right: Floats) -> list[Bin]:
    places = _places(confidence)
    return [
        Bin(
            round(place / BINS, 6),
            round((place + 1) / BINS, 6),
            int(inside.sum()),
            round(float(confidence[inside].mean()), 6),
            round(float(right[inside].mean()), 6),
        )
        for place in range(BINS)
        if (inside := places == place).any()
    ]
