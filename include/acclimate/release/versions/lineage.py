"""What a version was made from, and what was done with it, as lines to read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from acclimate.core.home import home
from acclimate.dataset.versions import short, versions
from acclimate.release.versions import audit
from acclimate.release.versions.finding import described

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from acclimate.core.chain import Record


def lineage(client: MlflowClient, version: Any) -> Iterator[str]:
    """From the sources of the data to the served Bento, then every record of the audit."""
    standing = client.get_registered_model(version.name).aliases
    at = sorted(alias for alias, number in standing.items() if str(number) == str(version.version))
    known, tags = described(version, tuple(at)), version.tags
    yield f"{version.name} version {version.version}  {', '.join(at)}".rstrip()
    for what, value in (
        ("run", _run(client, version)),
        ("git commit", f"{tags.get('git_commit')}  (tag acclimate/{known.run} once the run is sealed)"),
        ("training set", _dataset(known.dataset_sha256)),
        (
            "base",
            f"{known.base or 'not recorded'}  sha256 {known.base_sha256}  licence {known.base_licence or 'unknown'}",
        ),
        ("adapter", f"sha256 {known.adapter_sha256}"),
        ("gate", f"{known.verdict}: {'; '.join(json.loads(tags.get('gate.reasons', '[]')))}"),
        ("test set", f"used {tags.get('testset_uses', '?')} times before it was registered"),
        ("Bento", tags.get("bento", "not packaged")),
        ("rolled back", known.rolled_back or "no"),
    ):
        yield f"  {what:<13} {value}"
    yield "  audit"
    records = audit.records(version.name, str(version.version))
    yield from (f"    {told(record)}" for record in records)
    if not records:
        yield "    nothing on record here"


def told(record: Record) -> str:
    """'7  2026-11-21T09:30:00+00:00  ada  promote  acclimate-law 4  champion 3 → 4, …: faster'."""
    before, after = record["before"], record["after"]
    moves = [
        f"{alias} {before[alias] or 'none'} → {to or 'none'}" for alias, to in after.items() if before[alias] != to
    ]
    what = f"{record['verb']}  {record['model']} {record['version']}"
    return f"{record['record']}  {record['when']}  {record['who']}  {what}  {', '.join(moves) or '-'}: {record['why']}"


def _run(client: MlflowClient, version: Any) -> str:
    run = client.get_run(version.run_id)
    condition = f"tags.`mlflow.parentRunId` = '{version.run_id}'"
    children = client.search_runs([run.info.experiment_id], condition, order_by=["attributes.start_time ASC"])
    stages = ", ".join(child.info.run_name for child in children)
    return f"{run.info.run_name}  MLflow {version.run_id}{f'  with {stages}' if stages else ''}"


def _dataset(sha256: str | None) -> str:
    """Its hash, and the name of the tagged version that gives its files back."""
    tagged = [short(version.name) for version in versions(home()) if version.sha256 == sha256]
    where = f"acclimate dataset pull {tagged[0]}" if tagged else "not tagged in this checkout"
    return f"sha256 {sha256}  ({where})"
