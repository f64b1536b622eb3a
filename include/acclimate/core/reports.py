"""What a stage says about its run: a small typed report, written as reports/<stage>.json.

A report is a frozen dataclass of plain values with a `headline()`: the one line a person watching
the pipeline wants to read. Reports hold nothing that differs between two equal runs (no times, no
paths outside the checkout): their bytes are part of what DVC hashes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from acclimate.core.files import read_json, write_json
from acclimate.core.records import Reject

PLOTS = Path("reports/plots")
"""Where `acclimate report` puts its figures, one SVG each; `register` logs them."""


class Report(Protocol):
    """Any frozen dataclass that can say in one line what the stage found."""

    def headline(self) -> str:
        """One line with the numbers that matter."""
        ...


@dataclass(frozen=True)
class Funnel:
    """Records in, records out, and why the difference: `records_in = records_out + sum(rejected)`."""

    records_in: int
    records_out: int
    rejected: dict[str, int]

    @classmethod
    def of(cls, records_in: int, records_out: int, rejects: Iterable[Reject]) -> Funnel:
        """Count `rejects` by reason, most frequent first."""
        return cls.counted(records_in, records_out, Counter(reject.reason for reject in rejects))

    @classmethod
    def counted(cls, records_in: int, records_out: int, counts: Counter[str]) -> Funnel:
        """`of`, for rejects that have been counted by reason and not kept."""
        funnel = cls(records_in, records_out, dict(sorted(counts.items(), key=lambda c: (-c[1], c[0]))))
        lost = records_in - records_out - counts.total()
        assert lost == 0, f"{lost} records disappeared without a reason"
        return funnel

    def sentence(self) -> str:
        """'13,204 in, 12,950 out (near-duplicate 200, too short 54)'."""
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in self.rejected.items())
        return f"{self.records_in:,} in, {self.records_out:,} out" + (f" ({reasons})" if reasons else "")


def report_path(stage: str, root: Path = Path()) -> Path:
    """Where the report of `stage` stands."""
    return root / "reports" / f"{stage}.json"


def write_report(path: Path, stage: str, report: Any) -> None:
    """Write a report with its stage and headline first."""
    write_json(path, {"stage": stage, "headline": report.headline(), **asdict(report)})


def read_report(stage: str, root: Path = Path()) -> dict[str, Any]:
    """The report of `stage` as plain values."""
    report: dict[str, Any] = read_json(report_path(stage, root))
    return report
