"""What a run shows for its adapter, read from its checkout and checked to belong together.

Release steps trust no file by its name: the adapter on disk must be the one that compose reported and
the gate judged.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acclimate.core.errors import UserError
from acclimate.core.files import read_json
from acclimate.core.reports import report_path
from acclimate.release.weights import file_sha256

ADAPTER_WEIGHTS = "adapter_model.safetensors"
ADAPTER_FILES = ("adapter_config.json", ADAPTER_WEIGHTS)


@dataclass(frozen=True)
class Evidence:
    """A gated adapter and where it comes from; all hashes are SHA-256 in hex."""

    run: str
    """The key of the run: the name of its worktree."""
    git_commit: str
    dataset_sha256: str
    base_sha256: str
    adapter_sha256: str
    reports: dict[str, dict[str, Any]]
    """Every report of the run by its stage."""

    @property
    def gate(self) -> dict[str, Any]:
        """The gate's report."""
        return self.reports["gate"]


def read_evidence(checkout: Path) -> Evidence:
    """The evidence of the run in `checkout`.

    Raises:
        UserError: if a report is missing, or the gate judged another adapter than the one that is there.
    """
    reports = {path.stem: read_json(path) for path in sorted((checkout / "reports").glob("*.json"))}
    for stage in ("mix", "base", "compose", "gate"):
        if stage not in reports:
            raise missing_report(checkout, stage)
    adapter = file_sha256(checkout / "artifacts/compose" / ADAPTER_WEIGHTS)
    for stage, key in (("compose", "adapter_sha256"), ("gate", "candidate_sha256")):
        if reports[stage][key] != adapter:
            raise UserError(
                f"reports/{stage}.json is about adapter {reports[stage][key][:8]}, artifacts/compose has {adapter[:8]}",
                why="only the adapter that was judged may be released",
                fix="run `dvc repro gate`, which brings both up to date",
            )
    return Evidence(
        run=checkout.resolve().name,
        git_commit=_head(checkout),
        dataset_sha256=reports["mix"]["dataset_sha256"],
        base_sha256=reports["base"]["base_sha256"],
        adapter_sha256=adapter,
        reports=reports,
    )


def require_promote(report: dict[str, Any], stage: str) -> None:
    """Raise UserError with the gate's own reasons unless its verdict is promote."""
    if report["verdict"] != "promote":
        raise UserError(
            f"the verdict of {stage} is {report['verdict']}: {'; '.join(report['reasons'])}",
            why="a model that did not pass its gate is not released",
            fix="train another candidate: more or other data, or other dials in params.yaml",
        )


def missing_report(checkout: Path, stage: str) -> UserError:
    """The error for a stage of the run that has not reported."""
    return UserError(
        f"{report_path(stage, checkout)} does not exist",
        why="a release rests on the reports of its run",
        fix=f"run `acclimate {stage}` in this checkout first",
    )


def read_required(checkout: Path, stage: str) -> dict[str, Any]:
    """The report of `stage`, which must be there."""
    path = report_path(stage, checkout)
    if not path.exists():
        raise missing_report(checkout, stage)
    report: dict[str, Any] = read_json(path)
    return report


def _head(checkout: Path) -> str:
    command = ["git", "rev-parse", "HEAD"]
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True).stdout.strip()
