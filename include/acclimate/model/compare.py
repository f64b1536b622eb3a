"""Two models' results on the same items, set against each other.

    base, candidate = read_rows(Path("artifacts/baseline")), read_rows(Path("artifacts/evaluate/candidate"))
    pair = Pair.of("domain_cloze", base, candidate, resamples=10_000, seed=1729)
    pair.reference, pair.candidate, pair.p_value     # 0.303, 0.416, 0.0001

Scores are shares of right answers and Brier scores (cloze), or bits per byte (text). Every interval and
p-value is by cluster, so that passages of one document do not count as independent evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from acclimate.core.errors import UserError
from acclimate.core.files import read_jsonl
from acclimate.model.power import Design, items_to_separate
from acclimate.model.score import CLOZE_TASKS, TEXT_TASKS, Row, bits
from acclimate.model.scoring.calibration import brier, probabilities
from acclimate.model.statistics import (
    bootstrap_totals,
    cluster_totals,
    excess_p,
    mean_and_error,
    percentile_interval,
    ratio_bounds,
    sign_flip_p,
)

if TYPE_CHECKING:
    from acclimate.model.statistics import Floats

Rows = Mapping[str, list[Row]]


@dataclass(frozen=True)
class Metric:
    """What is read off the rows of a task, and how a score of it reads."""

    task: str
    value: Callable[[Row], float]
    """Of one item; a score is the sum of these over the sum of weights."""
    weight: Callable[[Row], float] = lambda _: 1.0
    lower_is_better: bool = False


def _correct(row: Row) -> float:
    return float(row["correct"])


def _brier(row: Row) -> float:
    return brier(probabilities(row["log_likelihoods"]), row["label"])


def _bytes(row: Row) -> float:
    return float(row["bytes"])


METRICS = {
    "domain_cloze": Metric("domain_cloze", _correct),
    "general_cloze": Metric("general_cloze", _correct),
    "domain_brier": Metric("domain_cloze", _brier, lower_is_better=True),
    "general_brier": Metric("general_cloze", _brier, lower_is_better=True),
    "domain_bits_per_byte": Metric("domain_text", bits, _bytes, lower_is_better=True),
    "general_bits_per_byte": Metric("general_text", bits, _bytes, lower_is_better=True),
}
"""Everything that two models are compared on, by the name it is reported under."""


def read_rows(directory: Path) -> Rows:
    """Per-item results of every task, as `score` wrote them.

    Raises:
        UserError: if a task's file is missing.
    """
    missing = [task for task in (*CLOZE_TASKS, *TEXT_TASKS) if not (directory / f"{task}.jsonl").is_file()]
    if missing:
        raise UserError(
            f"{directory} has no results of {', '.join(missing)}",
            why="a model that was not scored cannot be compared",
            fix="run the stage that scores it again: baseline, evaluate or evaluate_quantized",
        )
    return {task: read_jsonl(directory / f"{task}.jsonl") for task in (*CLOZE_TASKS, *TEXT_TASKS)}


@dataclass(frozen=True)
class Pair:
    """One metric of a reference and a candidate, summed by cluster."""

    metric: str
    n: int
    totals: Floats
    """[clusters, 3]: the reference's and the candidate's right answers (or bits, or Brier scores), and items
    (or bytes)."""
    resamples: int
    seed: int
    discordant: tuple[int, int] = (0, 0)
    """Items that only the candidate, and that only the reference, answers right."""

    @classmethod
    def of(cls, metric: str, reference: Rows, candidate: Rows, *, resamples: int, seed: int) -> Pair:
        """Pair the rows that `metric` is read off.

        Raises:
            UserError: if the two were not scored on the same items in the same order.
        """
        read = METRICS[metric]
        left, right = reference[read.task], candidate[read.task]
        _require_same_items(read.task, left, right)
        values = np.array([[read.value(a), read.value(b), read.weight(a)] for a, b in zip(left, right, strict=True)])
        totals = cluster_totals(values, [row["cluster"] for row in left])
        gains = values[:, 1] - values[:, 0]
        discordant = (int((gains == 1).sum()), int((gains == -1).sum())) if read.value is _correct else (0, 0)
        return cls(metric, len(left), totals, resamples, seed, discordant)

    @property
    def lower_is_better(self) -> bool:
        """True of bits per byte and of Brier scores."""
        return METRICS[self.metric].lower_is_better

    @property
    def reference(self) -> float:
        """The reference's score."""
        return float(self.totals[:, 0].sum() / self.totals[:, 2].sum())

    @property
    def candidate(self) -> float:
        """The candidate's score."""
        return float(self.totals[:, 1].sum() / self.totals[:, 2].sum())

    @property
    def _quality(self) -> Floats:
        """[clusters, 2]: the two sums whose ratio is the candidate's quality as a share of the reference's."""
        return self.totals[:, [0, 1]] if self.lower_is_better else self.totals[:, [1, 0]]

    @property
    def retention(self) -> float | None:
        """What share of the reference's quality the candidate has; None if the reference has none."""
        part, whole = self._quality.sum(axis=0)
        return float(part / whole) if whole else None

    def retention_bounds(self, alpha: float) -> tuple[float, float]:
        """The one-sided 1 − `alpha` bounds of that share: at least, and at most."""
        return ratio_bounds(self._quality, alpha)

    def retention_p(self, share: float) -> float:
        """One-sided p-value of the candidate having more than `share` of the reference's quality."""
        return excess_p(self._quality, share)

    @property
    def retention_error(self) -> float:
        """The standard error of that share; the reference must have some quality."""
        part, whole = self._quality.T
        return mean_and_error(np.column_stack([part, whole]))[1]

    @cached_property
    def interval(self) -> tuple[float, float]:
        """95 % cluster-bootstrap interval of candidate − reference."""
        drawn = bootstrap_totals(self.totals, resamples=self.resamples, seed=self.seed)
        return percentile_interval((drawn[:, 1] - drawn[:, 0]) / drawn[:, 2])

    @cached_property
    def p_value(self) -> float:
        """One-sided: how often luck alone would make the candidate look this much better."""
        gains = self.totals[:, 1] - self.totals[:, 0]
        return sign_flip_p(-gains if self.lower_is_better else gains, resamples=self.resamples, seed=self.seed)

    @property
    def difference(self) -> float:
        """Candidate − reference."""
        return self.candidate - self.reference

    @cached_property
    def error(self) -> float:
        """The standard error of the difference."""
        return mean_and_error(np.column_stack([self.totals[:, 1] - self.totals[:, 0], self.totals[:, 2]]))[1]

    @property
    def design(self) -> Design:
        """What the test had to work with, as it turned out: the observed discordance and design effect."""
        discordance = sum(self.discordant) / self.n
        independent = max(discordance - self.difference**2, 0.0) / self.n
        effect = self.error**2 / independent if independent else 1.0
        return Design(self.n, effect, discordance)

    def can_show(self, share: float, alpha: float, power: float) -> bool:
        """Whether a candidate that lost nothing would be seen to keep `share`, this often, at this sample's spread."""
        if self.retention is None:
            return False
        wanted = items_to_separate(1 - share, self.retention_error, self.n, alpha=alpha, power=power)
        return wanted is not None and wanted <= self.n

    def describe(self) -> dict[str, Any]:
        """The fields that every metric of every verdict has."""
        low, high = self.interval
        return {
            "base": round(self.reference, 6),
            "candidate": round(self.candidate, 6),
            "champion": None,
            "difference": round(self.difference, 6),
            "interval": [round(low, 6), round(high, 6)],
            "p_value": significant(self.p_value),
            "n": self.n,
            "clusters": len(self.totals),
        }


def significant(value: float) -> float:
    """Three significant digits."""
    return float(f"{value:.3g}")


def _require_same_items(task: str, left: list[Row], right: list[Row]) -> None:
    ids, others = [row["id"] for row in left], [row["id"] for row in right]
    if ids == others:
        return
    shared = len(set(ids) & set(others))
    raise UserError(
        f"{task}: the two models were scored on different items ({len(ids)} and {len(others)}, {shared} in common)",
        why="a paired test compares answers to the same questions",
        fix="run `dvc repro gate`, which scores both on the current evaluation set",
    )
