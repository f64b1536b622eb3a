"""Two models' results on the same items, set against each other.

    base, candidate = read_rows(Path("artifacts/baseline")), read_rows(Path("artifacts/evaluate/candidate"))
    pair = Pair.of("domain_cloze", base, candidate, resamples=10_000, seed=1729)
    pair.reference, pair.candidate, pair.p_value     # 0.303, 0.416, 0.0001

Scores are shares of right answers (cloze) or bits per byte (text). Every interval and p-value is by
cluster, so that passages of one document do not count as independent evidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from acclimate.core.errors import UserError
from acclimate.core.files import read_jsonl
from acclimate.model.score import CLOZE_TASKS, TEXT_TASKS, Row, bits
from acclimate.model.statistics import (
    bootstrap_totals,
    cluster_totals,
    lower_bound,
    percentile_interval,
    sign_flip_p,
)

if TYPE_CHECKING:
    from acclimate.model.statistics import Floats

Rows = Mapping[str, list[Row]]

METRICS = {
    "domain_cloze": "domain_cloze",
    "general_cloze": "general_cloze",
    "domain_text": "domain_bits_per_byte",
    "general_text": "general_bits_per_byte",
}
"""What a task is called where its score is reported."""


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
    """One task's results of a reference and a candidate, summed by cluster."""

    task: str
    n: int
    totals: Floats
    """[clusters, 3]: the reference's and the candidate's right answers (or bits), and items (or bytes)."""
    resamples: int
    seed: int

    @classmethod
    def of(cls, task: str, reference: Rows, candidate: Rows, *, resamples: int, seed: int) -> Pair:
        """Pair the rows of `task`.

        Raises:
            UserError: if the two were not scored on the same items in the same order.
        """
        left, right = reference[task], candidate[task]
        _require_same_items(task, left, right)
        values = [[_points(a), _points(b), _weight(a)] for a, b in zip(left, right, strict=True)]
        totals = cluster_totals(np.array(values), [row["cluster"] for row in left])
        return cls(task, len(left), totals, resamples, seed)

    @property
    def lower_is_better(self) -> bool:
        """True of bits per byte."""
        return self.task in TEXT_TASKS

    @property
    def reference(self) -> float:
        """The reference's score."""
        return float(self.totals[:, 0].sum() / self.totals[:, 2].sum())

    @property
    def candidate(self) -> float:
        """The candidate's score."""
        return float(self.totals[:, 1].sum() / self.totals[:, 2].sum())

    @property
    def retention(self) -> float | None:
        """What share of the reference's quality the candidate has; None if the reference has none."""
        part, whole = (self.reference, self.candidate) if self.lower_is_better else (self.candidate, self.reference)
        return part / whole if whole else None

    @cached_property
    def _drawn(self) -> Floats:
        return bootstrap_totals(self.totals, resamples=self.resamples, seed=self.seed)

    @cached_property
    def interval(self) -> tuple[float, float]:
        """95 % cluster-bootstrap interval of candidate − reference."""
        return percentile_interval((self._drawn[:, 1] - self._drawn[:, 0]) / self._drawn[:, 2])

    @cached_property
    def p_value(self) -> float:
        """One-sided: how often luck alone would make the candidate look this much better."""
        gains = self.totals[:, 1] - self.totals[:, 0]
        return sign_flip_p(-gains if self.lower_is_better else gains, resamples=self.resamples, seed=self.seed)

    def keeps(self, share: float) -> bool:
        """Whether the candidate has at least `share` of the reference's quality, by point estimate."""
        return bool(_excess(self.totals.sum(axis=0), share, self.lower_is_better) >= 0)

    def excess_bound(self, share: float, alpha: float) -> float:
        """One-sided 1 − `alpha` lower bound of the candidate's score minus `share` of the reference's.

        Above zero it shows that the candidate keeps at least that share. For bits per byte the roles
        change (reference − share × candidate), so that more is better there too.
        """
        return lower_bound(_excess(self._drawn, share, self.lower_is_better), alpha)

    def can_show(self, share: float, alpha: float) -> bool:
        """Whether a candidate that lost nothing would be seen to keep `share`, at this sample's spread."""
        spread = _excess(self.totals.sum(axis=0), share, self.lower_is_better) - self.excess_bound(share, alpha)
        return bool(spread < (1 - share) * self.reference)

    def describe(self) -> dict[str, Any]:
        """The fields that every metric of every verdict has."""
        low, high = self.interval
        return {
            "base": round(self.reference, 6),
            "candidate": round(self.candidate, 6),
            "champion": None,
            "difference": round(self.candidate - self.reference, 6),
            "interval": [round(low, 6), round(high, 6)],
            "p_value": significant(self.p_value),
            "n": self.n,
            "clusters": len(self.totals),
        }


def significant(value: float) -> float:
    """Three significant digits."""
    return float(f"{value:.3g}")


def _excess(totals: Floats, share: float, lower_is_better: bool) -> Floats:
    """Quality of the candidate beyond `share` of the reference's, from totals [..., 3]."""
    reference, candidate = totals[..., 0], totals[..., 1]
    part = reference - share * candidate if lower_is_better else candidate - share * reference
    return np.asarray(part / totals[..., 2])


def _points(row: Row) -> float:
    return float(row["correct"]) if "correct" in row else bits(row)


def _weight(row: Row) -> float:
    return 1.0 if "correct" in row else float(row["bytes"])


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
