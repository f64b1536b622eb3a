"""Recompute the verdict of a registered version from the evidence stored with it, and from nothing else.

    acclimate gate --replay 3

Needs the registry, not the run: no checkout, no model, no test set. It ends with an error if the evidence was
changed, or if the verdict that follows from it is not the one the version was registered with.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from acclimate.core.errors import UserError
from acclimate.core.params import load
from acclimate.model.gate import GateReport, decide
from acclimate.release import exhibits
from acclimate.release.registry import connect, model_name


def main(version: str) -> int:
    """Replay the gate for `version` of the domain in params.yaml."""
    name = model_name(load(Path("params.yaml")).ingest.domain)
    report = replay(name, version)
    print(f"{name} version {version}: the same verdict follows from its evidence\n{report.headline()}")
    for reason in report.reasons:
        print(f"  - {reason}")
    return 0


def replay(name: str, version: str) -> GateReport:
    """The verdict on the evidence of a registered version.

    Raises:
        UserError: if there is no such version or it carries no evidence, if the evidence was changed, or if another
            verdict follows from it than was registered.
    """
    tags, run_id = _registered(name, version)
    if "evidence_sha256" not in tags:
        raise UserError(
            f"version {version} of {name} carries no evidence to recompute its verdict from",
            why="it was registered before the evidence was kept with the version",
            fix="run its gate again in its worktree, and register it again",
        )
    import mlflow

    with tempfile.TemporaryDirectory() as folder:
        fetched = mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=exhibits.FOLDER, dst_path=folder)
        grounds, stored = exhibits.read(Path(fetched), tags["evidence_sha256"])
    report = decide(grounds)
    differing = exhibits.differences(stored, report)
    if report.verdict != tags["gate.verdict"]:
        differing = ["verdict", *(field for field in differing if field != "verdict")]
    if differing:
        raise UserError(
            f"version {version} of {name} was registered as {tags['gate.verdict']}; from its evidence follows "
            f"{report.verdict} (other: {', '.join(differing)})",
            why="a verdict that does not follow from its evidence is not one",
            fix=f"if the gate itself changed since, check out commit {tags['git_commit'][:10]} and replay it there",
        )
    return report


def _registered(name: str, version: str) -> tuple[dict[str, str], str]:
    from mlflow.exceptions import MlflowException

    client = connect()
    try:
        found = client.get_model_version(name, version)
    except MlflowException as fault:
        if fault.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        raise UserError(
            f"there is no version {version} of {name}",
            why="a verdict is recomputed from the evidence of a registered version",
            fix="name one that the registry's page of the model lists",
        ) from None
    return dict(found.tags), str(found.run_id)
