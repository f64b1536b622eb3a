"""The grounds of a verdict as files beside the registered version, so that anybody can recompute it.

    evidence/
        manifest.json               every other file by its SHA-256; every item's row by the start of its own
        verdict.json                the gate's report
        grounds.json                dials, hashes, the place in the ledger, what was measured
        rows/<model>/<task>.jsonl   per-item results of base, candidate and champion

The hash of the manifest is a tag of the version: what is changed later shows, and is named.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from acclimate.core.errors import UserError
from acclimate.core.files import read_json, read_jsonl, sha256, write_json, write_jsonl
from acclimate.core.params import GateParams, load
from acclimate.core.reports import read_report
from acclimate.model.gate import GateReport, decide
from acclimate.model.grounds import Grounds, gather, read_measured

FOLDER = "evidence"
MANIFEST = "manifest.json"
ROW_DIGITS = 8
"""Of each row's hash: enough to name a changed one; the file's whole hash proves that one was."""


def grounds_of(checkout: Path, measurements: Path) -> Grounds:
    """What the gate of the run in `checkout` decided on, and what was measured of its candidate on this machine.

    Raises:
        UserError: if its report does not follow from the results that are there.
    """
    params, artifacts = load(checkout / "params.yaml"), checkout / "artifacts"
    report = read_report("gate", checkout)
    grounds = gather(
        params.gate,
        params.common,
        baseline=artifacts / "baseline",
        evaluated=artifacts / "evaluate",
        evaluation=artifacts / "split/evaluation",
        dataset=artifacts / "mix/train.jsonl",
        certificate=artifacts / "mix/certificate.json",
        submission=report["certainty"]["ledger"]["submission"],
        measured=read_measured(measurements, report["candidate_sha256"]),
    )
    if differing := differences(report, decide(grounds)):
        raise UserError(
            f"reports/gate.json says another {', '.join(differing)} than follows from the results in artifacts/",
            why="a version is registered with evidence that its verdict can be recomputed from",
            fix="run `dvc repro --force gate`, which decides anew",
        )
    return grounds


def differences(stored: dict[str, Any], report: GateReport) -> list[str]:
    """The fields of a stored report that a recomputed one has another value for."""
    computed = json.loads(json.dumps(asdict(report)))
    return [name for name, value in computed.items() if stored.get(name) != value]


def write(grounds: Grounds, folder: Path) -> str:
    """Write the grounds and the verdict on them below `folder`, and return the hash of the manifest."""
    write_json(folder / "verdict.json", asdict(decide(grounds)))
    named = ("candidate_sha256", "champion", "testset", "dataset", "submission", "measured", "seed")
    plain = {name: getattr(grounds, name) for name in named}
    write_json(folder / "grounds.json", {"params": grounds.params.model_dump(), **plain})
    for model, tasks in grounds.rows.items():
        for task, rows in tasks.items():
            write_jsonl(folder / "rows" / model / f"{task}.jsonl", rows)
    files = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*.json*"))}
    manifest = {name: {"sha256": sha256(path), "rows": _row_hashes(path)} for name, path in files.items()}
    write_json(folder / MANIFEST, manifest)
    return sha256(folder / MANIFEST)


def read(folder: Path, manifest_sha256: str) -> tuple[Grounds, dict[str, Any]]:
    """The grounds below `folder` and the verdict stored with them.

    Raises:
        UserError: naming the file, and the items, that are not what was registered.
    """
    if sha256(folder / MANIFEST) != manifest_sha256:
        raise _tampered(f"{MANIFEST} is not the one whose hash the version carries")
    manifest = read_json(folder / MANIFEST)
    found = {str(path.relative_to(folder)) for path in folder.rglob("*.json*")} - {MANIFEST}
    if odd := sorted(found ^ manifest.keys()):
        raise _tampered(f"{', '.join(odd)}: {'added' if odd[0] in found else 'missing'}")
    for name, registered in manifest.items():
        if sha256(folder / name) != registered["sha256"]:
            raise _tampered(f"{name} is not what was registered{_changed_rows(folder / name, registered['rows'])}")
    kept = read_json(folder / "grounds.json")
    rows = {
        model.name: {task.stem: read_jsonl(task) for task in sorted(model.glob("*.jsonl"))}
        for model in sorted((folder / "rows").iterdir())
    }
    verdict: dict[str, Any] = read_json(folder / "verdict.json")
    return Grounds(**{**kept, "params": GateParams(**kept["params"])}, rows=rows), verdict


def _row_hashes(path: Path) -> list[str]:
    if path.suffix != ".jsonl":
        return []
    return [hashlib.sha256(line).hexdigest()[:ROW_DIGITS] for line in path.read_bytes().splitlines()]


def _changed_rows(path: Path, registered: list[str]) -> str:
    """': row 3 (39e0…:871), row 7 (…)', the first few; nothing for a file without rows."""
    if not registered:
        return ""
    found = _row_hashes(path)
    if len(found) != len(registered):
        return f": {len(found)} rows instead of {len(registered)}"
    changed = [number for number, (now, then) in enumerate(zip(found, registered, strict=True), 1) if now != then]
    lines = path.read_text(encoding="utf-8").splitlines()
    named = [f"row {number} ({_item(lines[number - 1])})" for number in changed[:3]]
    more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
    return f": {', '.join(named)}{more}"


def _item(line: str) -> str:
    try:
        return f"item {json.loads(line)['id']}"
    except (ValueError, KeyError, TypeError):
        return "no longer an item"


def _tampered(what: str) -> UserError:
    return UserError(
        f"the evidence was changed: {what}",
        why="a verdict that cannot be recomputed from its own evidence proves nothing",
        fix="restore the artifacts of the version's MLflow run from a backup; until then, release another version",
    )
