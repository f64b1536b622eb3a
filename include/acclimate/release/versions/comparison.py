"""How one version differs from another: dials, training set, and scores on the same items.

    report = compare(client, find(client, name, "3"), find(client, name, "4"), resamples=10_000, seed=1729)
    report.metrics["domain_cloze"]["interval"]     # [0.012, 0.058]: of version 4 less version 3

Intervals are paired: the rows that `evaluate` wrote for each item are stored with a version, and the same
statistics as the gate's are computed from them. Nothing is scored again, so no use of the test set is added.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.core.errors import UserError
from acclimate.model.compare import METRICS, Pair, Rows, read_rows
from acclimate.release import exhibits

if TYPE_CHECKING:
    from mlflow import MlflowClient

ITEMS = f"{exhibits.FOLDER}/rows/candidate"
"""Among the artifacts of a version's run: one file per task, one row per item."""


@dataclass(frozen=True)
class Side:
    """One of the two versions."""

    version: str
    adapter_sha256: str
    base_sha256: str
    dataset_sha256: str
    verdict: str


@dataclass(frozen=True)
class ComparisonReport:
    """What differs between two versions of a model."""

    model: str
    old: Side
    new: Side
    dials: dict[str, tuple[str | None, str | None]]
    """Dotted dial to its value in the old and the new version; None where it did not exist."""
    metrics: dict[str, dict[str, Any]]
    """Metric to the fields of every verdict's metrics: `base` is the old version, `candidate` the new."""
    not_compared: dict[str, str]
    """Metric to the reason why its items cannot be paired."""

    def headline(self) -> str:
        """'acclimate-law 3 → 4: domain_cloze +0.035 [0.012, 0.058], …; 2 dials differ, same training set'."""
        told = [
            f"{name} {of['difference']:+.3f} [{', '.join(f'{end:+.3f}' for end in of['interval'])}]"
            for name, of in self.metrics.items()
        ]
        dataset = "same" if self.old.dataset_sha256 == self.new.dataset_sha256 else "another"
        moved = f"{self.model} {self.old.version} → {self.new.version}"
        metrics = ", ".join(told) or "no metric in common"
        return f"{moved}: {metrics}; {len(self.dials)} dials differ, {dataset} training set"


def compare(client: MlflowClient, old: Any, new: Any, *, resamples: int, seed: int) -> ComparisonReport:
    """Set two MLflow versions of one model against each other.

    Args:
        client: of the registry.
        old: the version compared with.
        new: the version of which differences are told.
        resamples: of the cluster bootstrap.
        seed: of the bootstrap.

    Raises:
        UserError: if one of them was registered without its rows.
    """
    with tempfile.TemporaryDirectory() as folder:
        before, after = (_rows(version, Path(folder) / str(place)) for place, version in enumerate((old, new)))
    metrics, not_compared = {}, {}
    for metric, read in METRICS.items():
        if [row["id"] for row in before[read.task]] == [row["id"] for row in after[read.task]]:
            metrics[metric] = Pair.of(metric, before, after, resamples=resamples, seed=seed).describe()
        else:
            not_compared[metric] = (
                "scored on different items: the test set was unlocked in between, or cut to max_items"
            )
    return ComparisonReport(
        model=old.name,
        old=_side(old),
        new=_side(new),
        dials=_dials(client, old, new),
        metrics=metrics,
        not_compared=not_compared,
    )


def _rows(version: Any, folder: Path) -> Rows:
    import mlflow
    from mlflow.exceptions import MlflowException

    folder.mkdir()
    try:
        found = mlflow.artifacts.download_artifacts(run_id=version.run_id, artifact_path=ITEMS, dst_path=str(folder))
    except (MlflowException, OSError):
        raise UserError(
            f"version {version.version} of {version.name} has no {ITEMS} among its run's artifacts",
            why="without the result of each item a difference has no paired interval",
            fix="compare versions that were registered with them; `acclimate registry list` has the scores of all",
        ) from None
    return read_rows(Path(found))


def _side(version: Any) -> Side:
    tags = version.tags
    return Side(
        version=str(version.version),
        adapter_sha256=tags["adapter_sha256"],
        base_sha256=tags["base_sha256"],
        dataset_sha256=tags["dataset_sha256"],
        verdict=tags["gate.verdict"],
    )


def _dials(client: MlflowClient, old: Any, new: Any) -> dict[str, tuple[str | None, str | None]]:
    before, after = (client.get_run(version.run_id).data.params for version in (old, new))
    return {
        dial: (before.get(dial), after.get(dial))
        for dial in sorted({*before, *after})
        if before.get(dial) != after.get(dial)
    }
