"""Whether what the page shows of a stage belongs to this run, as far as dvc.lock can tell.

dvc.lock holds, per stage, the MD5 of what it read and wrote and the dials it ran with. A stage is
outdated when its dials have changed since, when it read another version of a file than the one its
producer last wrote, when its report is not the one it wrote, or when a stage before it is outdated.
"""

from __future__ import annotations

import hashlib
from typing import Any

from acclimate.core.reports import report_path
from acclimate.pipeline import STAGES
from acclimate.report.material import Material

UNRECORDED = "not in dvc.lock"
"""Of a stage run by hand (`acclimate dedup`), which leaves no trace there."""


def states(material: Material) -> dict[str, str]:
    """What to say about every stage that has a report: '' when it is as recorded, UNRECORDED, or what is not right."""
    lock = material.lock
    written = {out["path"]: out.get("md5") for stage in lock.values() for out in stage.get("outs", [])}
    found: dict[str, str] = {}
    for name in STAGES:
        if not report_path(name, material.root).exists():
            continue
        entry = lock.get(name)
        found[name] = _state(material, name, entry, written, found) if entry else UNRECORDED
    return found


def _state(
    material: Material, name: str, entry: dict[str, Any], written: dict[str, str], earlier: dict[str, str]
) -> str:
    changed = _changed_sections(material, entry)
    if changed:
        return f"dials changed since: {', '.join(changed)}"
    for read in entry.get("deps", []):
        if read["path"] in written and read.get("md5") != written[read["path"]]:
            return f"made from an earlier {read['path']}"
    before = [producer for producer in _producers(name) if earlier.get(producer)]
    if before:
        return f"{before[0]} is outdated"
    path = report_path(name, material.root)
    recorded = written.get(str(report_path(name)))
    actual = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    return "" if actual == recorded else "its report is not the one in dvc.lock"


def _changed_sections(material: Material, entry: dict[str, Any]) -> list[str]:
    """Sections of params.yaml whose values differ from those the stage was recorded with."""
    recorded: dict[str, Any] = entry.get("params", {}).get("params.yaml", {})
    return [section for section, values in recorded.items() if material.params.get(section) != values]


def _producers(name: str) -> list[str]:
    """The stages whose outputs `name` reads."""
    parts = [path.split("/") for path in STAGES[name].inputs.values()]
    return [part[1] for part in parts if part[0] == "artifacts"]
