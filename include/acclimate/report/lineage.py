"""Where the run comes from: commit, dials, hashes of everything that went in and came out."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import Any

from acclimate.data.mix import MixReport
from acclimate.model.base import BaseReport
from acclimate.model.compose import ComposeReport
from acclimate.pipeline import STAGES
from acclimate.release.quantize import QuantizeReport
from acclimate.release.stage_runs import flattened
from acclimate.report.blocks import Block, Cell, Column, Facts, Folded, Mark, Note, Section, Table, Verbatim
from acclimate.report.freshness import UNRECORDED, states
from acclimate.report.material import Material

PACKAGES = (
    "torch",
    "transformers",
    "peft",
    "lm_eval",
    "gptqmodel",
    "great-expectations",
    "mlflow",
    "bentoml",
    "dvc",
    "numpy",
    "pyarrow",
    "matplotlib",
)
"""What can change a result or a format; requirements.txt has the rest."""


def lineage(material: Material) -> Section:
    """Commit, hashes, versions and dials."""
    blocks: list[Block] = [Facts((*_git(material), *_hashes(material)), code=True)]
    if material.git.changed:
        blocks.append(Note(f"Changed since the commit: {_some(material.git.changed)}.", "warning"))
    blocks += [_stages(material), *_dials(material), Folded("Outputs in dvc.lock", _outputs(material))]
    blocks.append(Folded("Package versions", _versions()))
    if material.params_text:
        blocks.append(Verbatim("params.yaml of this run", material.params_text))
    return Section(
        "lineage",
        "Lineage",
        "What it takes to make this run again: the commit, dvc.lock and the DVC remote give back every file below.",
        tuple(blocks),
    )


def _git(material: Material) -> list[tuple[str, Cell]]:
    git = material.git
    if git.commit is None:
        return [("git commit", f"none ({git.problem})")]
    state = f"{len(git.changed)} files changed since" if git.changed else "nothing changed since"
    return [("git commit", git.commit), ("committed", f"{git.committed}, {state}")]


def _some(paths: tuple[str, ...], shown: int = 8) -> str:
    more = f" and {len(paths) - shown} more" if len(paths) > shown else ""
    return ", ".join(paths[:shown]) + more


def _hashes(material: Material) -> list[tuple[str, Cell]]:
    mix, base = material.report("mix", MixReport), material.report("base", BaseReport)
    composed, quantize = material.report("compose", ComposeReport), material.report("quantize", QuantizeReport)
    rows: list[tuple[str, Cell]] = [
        ("training set SHA-256", mix.dataset_sha256 if isinstance(mix, MixReport) else None),
        ("base SHA-256", base.base_sha256 if isinstance(base, BaseReport) else None),
        ("adapter SHA-256", composed.adapter_sha256 if isinstance(composed, ComposeReport) else None),
    ]
    if isinstance(quantize, QuantizeReport):
        rows += [("merged SHA-256", quantize.merged_sha256), ("quantised SHA-256", quantize.quantized_sha256)]
    return rows


def _stages(material: Material) -> Table:
    """Whether each stage's report belongs to what stands in dvc.lock and params.yaml now."""
    known = states(material)
    rows: list[tuple[Cell, ...]] = []
    for name in STAGES:
        state = known.get(name)
        mark = (
            Mark("not run") if state is None else Mark("outdated", "warning") if state else Mark("as recorded", "good")
        )
        rows.append((name, mark, state or None))
    return Table("Stages against dvc.lock", (Column("stage"), Column("state"), Column("why")), tuple(rows))


def _state(problem: str | None) -> Mark:
    if problem is None:
        return Mark("not run")
    if problem == UNRECORDED:
        return Mark("run by hand, not recorded")
    return Mark("outdated", "warning") if problem else Mark("as recorded", "good")


def _outputs(material: Material) -> Table:
    rows = [
        (name, out["path"], out.get("md5"), _bytes(out))
        for name, stage in material.lock.items()
        for out in stage.get("outs", [])
    ]
    columns = (Column("stage"), Column("path", "code"), Column("MD5", "code"), Column("bytes", "number"))
    return Table("What each stage last wrote; DVC fetches it by this MD5", columns, tuple(rows))


def _bytes(out: dict[str, Any]) -> str | None:
    return f"{out['size']:,}" if "size" in out else None


def _versions() -> Table:
    rows = (("python", platform.python_version()), *((name, _version(name)) for name in PACKAGES))
    return Table("In the environment that wrote this page", (Column("package"), Column("version", "code")), rows)


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _dials(material: Material) -> list[Block]:
    """Dials whose value differs from the committed params.yaml."""
    if material.committed_params is None:
        return [Note("git has no committed params.yaml to compare the dials with.")]
    committed, current = flattened(material.committed_params), flattened(material.params)
    rows = [
        (dial, committed.get(dial), current.get(dial))
        for dial in sorted({*committed, *current})
        if committed.get(dial) != current.get(dial)
    ]
    if not rows:
        return [Note("Every dial is as committed in params.yaml.")]
    columns = (Column("dial", "code"), Column("committed", "code"), Column("this run", "code"))
    return [Table("Dials that differ from the committed params.yaml", columns, tuple(rows))]
