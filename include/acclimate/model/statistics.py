"""The statistics behind every verdict: is a difference more than luck, and how far off may it be.

    totals = cluster_totals(candidate - base, clusters)     # one number per cluster
    sign_flip_p(totals, resamples=10_000, seed=1)           # 0.0003: better than chance would be
    percentile_interval(bootstrap_totals(totals, resamples=10_000, seed=1)[:, 0])
    ratio_bounds(both, 0.05)                                # (0.92, 0.98): kept, at least and at most

Items cut from one document, or from documents that are near-duplicates, succeed and fail together.
Treating them as independent makes every p-value too small, so the unit here is the cluster.

Sources: McNemar 1947 and Dror et al. 2018 (paired tests, in NLP); Good 2005 and Pesarin & Salmaso 2010
(permutation tests, sign flips); Efron & Tibshirani 1993, ch. 13 (percentile bootstrap); Cameron,
Gelbach & Miller 2008 (resampling clusters; t with clusters − 1 degrees of freedom); Fieller 1954 (bounds
of a ratio); Holm 1979 (several hypotheses); Wilson 1927 (interval of a share).
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
    """The exact distribution of the sum under random signs, grown by all clusters of one size at a time."""
    sizes, counts = np.unique(np.abs(differences), return_counts=True)
    chances: Floats = np.ones(1)
    for size, count in zip(sizes, counts, strict=True):
        chances = np.convolve(chances, _signed_sum(int(size), int(count))).astype(np.float64, copy=False)
    reach = len(chances) // 2
    return min(1.0, float(chances[reach + int(differences.sum()) :].sum()))


def _signed_sum(size: int, count: int) -> Floats:
    """Chances of the sums −size·count … size·count of `count` numbers ±`size`: a stretched binomial."""
    from scipy.special import gammaln

    plus = np.arange(count + 1)
    logarithms = gammaln(count + 1) - gammaln(plus + 1) - gammaln(count - plus + 1) - count * math.log(2)
    chances: Floats = np.zeros(2 * size * count + 1)
    chances[:: 2 * size] = np.exp(logarithms)
    return chances


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted for being several, in the order given (Holm 1979).

    Rejecting what is adjusted below alpha wrongly rejects any true hypothesis of the family with a chance
    of at most alpha, however the tests depend on each other; never weaker than Bonferroni.
    """
    adjusted, largest = [0.0] * len(p_values), 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def mean_and_error(totals: Floats) -> tuple[float, float]:
    """The mean per item and its standard error, from [clusters, 2]: sums of values, and items, per cluster.

    The error is that of a ratio of two sums over clusters (Cochran 1977, ch. 6), with clusters/(clusters − 1);
    infinite for a single cluster, of whose kin nothing is known.
    """
    clusters, items = len(totals), totals[:, 1].sum()
    mean = totals[:, 0].sum() / items
    if clusters < 2:
        return float(mean), math.inf
    spread = np.square(totals[:, 0] - mean * totals[:, 1]).sum() * clusters / (clusters - 1)
    return float(mean), float(math.sqrt(spread) / items)


def excess_p(totals: Floats, share: float) -> float:
    """One-sided p-value of the first sum being above `share` of the second, from [clusters, 2].

    A t-test over clusters; small where the excess is more than clusters differing from each other explains.
    """
    from scipy.special import stdtr

    excess = totals[:, 0] - share * totals[:, 1]
    if len(excess) < 2:
        return 1.0
    error = excess.std(ddof=1) / math.sqrt(len(excess))
    if error == 0:
        return 0.0 if excess[0] > 0 else 1.0
    return float(stdtr(len(excess) - 1, -excess.mean() / error))


def ratio_bounds(totals: Floats, alpha: float) -> tuple[float, float]:
    """The lower and the upper one-sided 1 − `alpha` bound of first sum / second sum, from [clusters, 2].

    The shares that `excess_p` does not refute (Fieller 1954): where the second sum may be zero for all that
    is known, these have no end, and the bounds are −inf and inf.
    """
    from scipy.special import stdtrit

    if len(totals) < 2:
        return -math.inf, math.inf
    top, bottom = totals.mean(axis=0)
    variance = np.cov(totals.T) / len(totals)
    t = float(stdtrit(len(totals) - 1, 1 - alpha)) ** 2
    square = bottom**2 - t * variance[1, 1]
    if square <= 0:
        return -math.inf, math.inf
    middle = top * bottom - t * variance[0, 1]
    root = math.sqrt(max(0.0, middle**2 - square * (top**2 - t * variance[0, 0])))
    return float((middle - root) / square), float((middle + root) / square)


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
