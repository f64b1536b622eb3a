"""Make the training set of a checkout a version, or recognise the one that it is."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from acclimate.core.errors import UserError
from acclimate.core.files import read_json, sha256
from acclimate.core.home import home, state
from acclimate.core.locks import locked
from acclimate.core.params import load
from acclimate.core.reports import report_path
from acclimate.core.runs import SEALED
from acclimate.core.worktrees import git, snapshot
from acclimate.dataset.documents import documents
from acclimate.dataset.versions import FOLDER, RECORD, TRAIN, Version, versions
from acclimate.report.freshness import UNRECORDED, states
from acclimate.report.material import Material


def described(checkout: Path) -> Version:
    """The training set in `checkout` as the version that it is, or would be if it were tagged now.

    Raises:
        UserError: if there is none, or it is not the one that its report and dvc.lock speak of.
    """
    _require_recorded(checkout)
    mix = read_json(report_path("mix", checkout))
    domain = load(checkout / "params.yaml").ingest.domain
    root = home()
    of_domain = [version for version in versions(root) if version.domain == domain]
    for version in of_domain:
        if version.sha256 == mix["dataset_sha256"]:
            return version
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Version(
        name=f"dataset/{domain}/{now[:10]}-{mix['dataset_sha256'][:8]}",
        domain=domain,
        date=now,
        sha256=mix["dataset_sha256"],
        records=mix["records"],
        bytes=mix["bytes"],
        estimated_tokens=mix["estimated_tokens"],
        parents=[version.name for version in of_domain[:1]],
    )


def tag(checkout: Path) -> Version:
    """Make the training set in `checkout` a version, if it is none yet; safe to repeat and to call at once."""
    root = home()
    with locked(state(root) / "dataset.lock"):
        version = described(checkout)
        if version in versions(root):
            return version
        texts = documents(checkout, version) | {RECORD: json.dumps(asdict(version), indent=2) + "\n"}
        with tempfile.TemporaryDirectory() as folder:
            files = {name: checkout / name for name in SEALED if (checkout / name).exists()}
            for name, text in texts.items():
                files[f"{FOLDER}/{name}"] = Path(folder) / name
                files[f"{FOLDER}/{name}"].write_text(text, encoding="utf-8")
            commit = snapshot(checkout, files, message=f"Data set {version.name}")
        git(root, "tag", "--no-sign", version.name, commit)
    return version


def _require_recorded(checkout: Path) -> None:
    """Raise unless train.jsonl is there, and is the one that the mix's report and dvc.lock are about."""
    if not (checkout / TRAIN).exists() or not report_path("mix", checkout).exists():
        problem = f"there is no {TRAIN}"
    elif sha256(checkout / TRAIN) != read_json(report_path("mix", checkout))["dataset_sha256"]:
        problem = f"{TRAIN} is not the file that reports/mix.json is about"
    else:
        state_of_mix = states(Material(checkout))["mix"]
        problem = f"the mix is {state_of_mix}" if state_of_mix == UNRECORDED else state_of_mix
    if problem:
        raise UserError(
            f"the training set here cannot be a version: {problem}",
            why="a version must be what dvc.lock gives back",
            fix="run `dvc repro mix`, then try again",
        )
