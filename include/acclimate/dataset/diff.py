"""How one training set differs from another: the records that came, went and changed, and what that did.

Records are matched by id. Where the text of an id is another one, the record has changed; a text that came under one id
and went under another has only been renamed. Two-sample tests say whether lengths and qualities moved:

    KS    greatest distance between the two distribution functions, 0–1 (Kolmogorov and Smirnov), with its p-value
    JS    Jensen–Shannon divergence of the shares of records in bits, 0–1 (Lin 1991)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from acclimate.core.errors import UserError
from acclimate.core.files import read_parquet

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

RECORDS = Path("artifacts/mix/records.parquet")
MEASURED = ("bytes", "quality")
COUNTED = ("source", "kind", "language", "licence", "difficulty")
EXAMPLES = 10
QUANTILES = 41
"""Points at which a distribution is drawn."""


@dataclass(frozen=True)
class Moved:
    """A quantity of the records in both versions."""

    ks: float
    p_value: float
    old_mean: float
    new_mean: float
    old_quantiles: list[float]
    """At QUANTILES evenly spaced levels from 0 to 1."""
    new_quantiles: list[float]


@dataclass(frozen=True)
class Shifted:
    """A property of the records in both versions."""

    js: float
    old_shares: dict[str, float]
    """Value to its share of the records, largest in either version first; a missing value is 'none'."""
    new_shares: dict[str, float]


@dataclass(frozen=True)
class DiffReport:
    """What came, went and changed between two versions."""

    old: str
    new: str
    old_records: int
    new_records: int
    came: int
    went: int
    changed: int
    renamed: int
    """Texts that came under one id and went under another; counted in both."""
    came_bytes: int
    went_bytes: int
    examples: dict[str, list[str]]
    """The first ids of those that came, went and changed, with their source."""
    measured: dict[str, Moved]
    counted: dict[str, Shifted]

    def headline(self) -> str:
        """'a → b: 120 came, 30 went, 2 changed, 5,788 stayed; bytes KS 0.012 (p 0.9), source JS 0.001'."""
        stayed = self.new_records - self.came - self.changed
        moved = [f"{name} KS {of.ks:.3f} (p {of.p_value:.2g})" for name, of in self.measured.items()]
        shifted = [f"{name} JS {of.js:.3f}" for name, of in self.counted.items()]
        counts = f"{self.came:,} came, {self.went:,} went, {self.changed:,} changed, {stayed:,} stayed"
        return f"{self.old} → {self.new}: {counts}; {', '.join([*moved, *shifted])}"


def compare(old_name: str, new_name: str, old: Path, new: Path) -> DiffReport:
    """The difference between the training sets in two checkouts.

    Raises:
        UserError: if one of them has no records.parquet.
    """
    import pyarrow.compute as pc

    before, after = _records(old_name, old), _records(new_name, new)
    came = after.filter(pc.invert(pc.is_in(after["id"], value_set=before["id"])))
    went = before.filter(pc.invert(pc.is_in(before["id"], value_set=after["id"])))
    both = before.select(["id", "source", "content"]).join(after.select(["id", "content"]), "id", right_suffix="_new")
    changed = both.filter(pc.not_equal(both["content"], both["content_new"])).sort_by("id")
    return DiffReport(
        old=old_name,
        new=new_name,
        old_records=before.num_rows,
        new_records=after.num_rows,
        came=came.num_rows,
        went=went.num_rows,
        changed=changed.num_rows,
        renamed=int(pc.sum(pc.is_in(came["content"], value_set=went["content"])).as_py() or 0),
        came_bytes=int(came["bytes"].to_numpy().sum()),
        went_bytes=int(went["bytes"].to_numpy().sum()),
        examples={"came": _examples(came), "went": _examples(went), "changed": _examples(changed)},
        measured={name: of for name in MEASURED if (of := _moved(before[name], after[name])) is not None},
        counted={name: _shifted(before[name], after[name]) for name in COUNTED},
    )


def _records(name: str, checkout: Path) -> pa.Table:
    if not (checkout / RECORDS).exists():
        raise UserError(
            f"{name} has no {RECORDS}",
            why="a diff is by record, and that file lists them",
            fix="run `dvc repro mix`",
        )
    return read_parquet(checkout / RECORDS)


def _examples(records: pa.Table) -> list[str]:
    first = records.slice(0, EXAMPLES)
    return [
        f"{source} {identity}"
        for source, identity in zip(*(first[c].to_pylist() for c in ("source", "id")), strict=True)
    ]


def _moved(old: pa.ChunkedArray, new: pa.ChunkedArray) -> Moved | None:
    """None where one of the versions knows no value."""
    from scipy.stats import ks_2samp

    before, after = (column.drop_null().to_numpy().astype(np.float64) for column in (old, new))
    if not len(before) or not len(after):
        return None
    test = ks_2samp(before, after, method="asymp")
    return Moved(
        ks=round(float(test.statistic), 6),
        p_value=float(f"{test.pvalue:.4g}"),
        old_mean=round(float(before.mean()), 4),
        new_mean=round(float(after.mean()), 4),
        old_quantiles=_quantiles(before),
        new_quantiles=_quantiles(after),
    )


def _quantiles(values: NDArray[np.float64]) -> list[float]:
    return [round(float(value), 4) for value in np.quantile(values, np.linspace(0, 1, QUANTILES))]


def _shifted(old: pa.ChunkedArray, new: pa.ChunkedArray) -> Shifted:
    before, after = _shares(old), _shares(new)
    values = sorted({*before, *after}, key=lambda value: (-max(before.get(value, 0), after.get(value, 0)), value))
    p, q = (np.array([shares.get(value, 0.0) for value in values]) for shares in (before, after))
    return Shifted(
        js=round(divergence(p, q), 6),
        old_shares=dict(zip(values, p.round(6).tolist(), strict=True)),
        new_shares=dict(zip(values, q.round(6).tolist(), strict=True)),
    )


def divergence(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    """The Jensen–Shannon divergence of two distributions over the same values, in bits."""
    middle = (p + q) / 2
    entropies = [-sum(share * np.log2(share) for share in shares[shares > 0]) for shares in (middle, p, q)]
    return max(0.0, float(entropies[0] - (entropies[1] + entropies[2]) / 2))


def _shares(column: pa.ChunkedArray) -> dict[str, float]:
    counts = column.value_counts().to_pylist()
    return {str(of["values"]) if of["values"] is not None else "none": of["counts"] / len(column) for of in counts}
