"""The statistics behind every verdict: is a difference more than luck, and how far off may it be.

    totals = cluster_totals(candidate - base, clusters)     # one number per cluster
    sign_flip_p(totals, resamples=10_000, seed=1)           # 0.0003: better than chance would be
    percentile_interval(bootstrap_totals(totals, resamples=10_000, seed=1)[:, 0])

Items cut from one document, or from documents that are near-duplicates, succeed and fail together.
Treating them as independent makes every p-value too small, so the unit here is the cluster.

Sources: McNemar 1947 and Dror et al. 2018 (paired tests, in NLP); Good 2005 and Pesarin & Salmaso 2010
(permutation tests, sign flips); Efron & Tibshirani 1993, ch. 13 (percentile bootstrap); Cameron,
Gelbach & Miller 2008 (resampling clusters); Wilson 1927 (interval of a share).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

ENUMERATED_CLUSTERS = 16
"""Up to this many clusters all 2^clusters sign patterns are counted; beyond, patterns are drawn."""


def wilson_interval(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """The two-sided interval of a share `successes`/`n`, by Wilson's score method: never outside 0–1.

    It takes the `n` trials as independent; comparisons use clusters instead.
    """
    assert 0 <= successes <= n
    assert n > 0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = successes / n
    centre = share + z * z / (2 * n)
    spread = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def cluster_totals(values: Floats, clusters: Sequence[str]) -> Floats:
    """Sums of `values` [items] or [items, columns] over each cluster: [clusters, columns].

    Clusters come in order of first appearance.
    """
    columns = values.reshape(len(clusters), -1)
    numbers: dict[str, int] = {}
    index = [numbers.setdefault(cluster, len(numbers)) for cluster in clusters]
    totals = np.zeros((len(numbers), columns.shape[1]))
    np.add.at(totals, index, columns)
    return totals


def sign_flip_p(totals: Floats, *, resamples: int, seed: int) -> float:
    """One-sided p-value of a sum of paired differences being this far above zero by luck.

    If candidate and base were equally good, each cluster's difference would as likely have had the
    other sign; p is the share of all sign patterns whose sum is at least the one observed. Exact for
    whole numbers (right minus wrong answers) by adding up the distribution cluster by cluster (Pagano &
    Tritchler 1983), where with clusters of one item it is the exact McNemar test; exact by enumeration
    for few clusters; else drawn, counting the observed pattern as one of the draws (Phipson & Smyth 2010).

    Args:
        totals: difference per cluster, [clusters] or [clusters, 1]; positive where the candidate is better.
        resamples: patterns drawn when they are drawn; the smallest p-value is then 1/(resamples + 1).
        seed: of those draws.
    """
    differences: Floats = totals[totals != 0]
    if np.array_equal(differences, np.rint(differences)):
        return _whole_number_p(differences.astype(np.int64))
    # Sums in another order differ in the last digits; a pattern as good as the observed one must count.
    observed = differences.sum() - 1e-9 * np.abs(differences).sum()
    if len(differences) <= ENUMERATED_CLUSTERS:
        patterns = (np.arange(2 ** len(differences))[:, None] >> np.arange(len(differences))) & 1
        return float(np.mean((2 * patterns - 1) @ differences >= observed))
    signs = np.random.default_rng(seed).integers(0, 2, (resamples, len(differences)), dtype=np.int8)
    extreme = int(np.sum((2 * signs - 1) @ differences >= observed))
    return (extreme + 1) / (resamples + 1)


def _whole_number_p(differences: NDArray[np.int64]) -> float:
    """The exact distribution of the sum under random signs, grown by one cluster at a time."""
    reach = int(np.abs(differences).sum())
    chances: Floats = np.zeros(2 * reach + 1)
    chances[reach] = 1.0
    for size in np.abs(differences):
        chances = (np.roll(chances, size) + np.roll(chances, -size)) / 2
    return min(1.0, float(chances[reach + int(differences.sum()) :].sum()))


def bootstrap_totals(totals: Floats, *, resamples: int, seed: int) -> Floats:
    """Column sums [resamples, columns] of as many clusters as there are, drawn with replacement.

    A statistic of the whole sample (a share, a difference, a ratio of two sums) is then computed per
    row; its spread over rows is its uncertainty.
    """
    clusters = len(totals)
    draws = np.random.default_rng(seed).multinomial(clusters, np.full(clusters, 1 / clusters), size=resamples)
    return draws @ totals


def percentile_interval(samples: Floats, confidence: float = 0.95) -> tuple[float, float]:
    """The two-sided percentile interval of bootstrap `samples` [resamples]."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(samples, [tail, 1 - tail])
    return float(low), float(high)


def lower_bound(samples: Floats, alpha: float) -> float:
    """The one-sided 1 − `alpha` bound: a true value below it would rarely give such a sample.

    Non-inferiority within a margin is shown when the bound of `candidate − (1 − margin) × reference` is
    above zero; that the point estimate is, shows nothing (Wellek 2010, ch. 1).
    """
    return float(np.quantile(samples, alpha))
