"""dvc.yaml as a graph of stages, read in milliseconds.

DVC's own index takes two seconds and its import another; DAG files are parsed every few seconds. So the
file is read with PyYAML, and tests/wiring asserts that DVC sees the same graph.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acclimate.core.yaml_text import parse_yaml


@dataclass(frozen=True)
class StageNode:
    """One stage: what it reads and writes, what must run before it, and how to run it."""

    name: str
    desc: str
    deps: tuple[str, ...]
    outs: tuple[str, ...]
    params: tuple[str, ...]
    """Sections of params.yaml whose change re-runs the stage."""
    upstream: frozenset[str]
    """Stages that write something this one reads, or a file inside it, or the folder around it."""
    dag: str
    pool: str
    retries: int
    timeout_minutes: int


def read_graph(root: Path) -> dict[str, StageNode]:
    """The stages of `root`/dvc.yaml by name, in file order."""
    text = (root / "dvc.yaml").read_text(encoding="utf-8")
    stages: dict[str, dict[str, Any]] = parse_yaml(text)["stages"]
    writers = {out: name for name, stage in stages.items() for out in stage.get("outs", [])}
    return {name: _node(name, stage, writers) for name, stage in stages.items()}


def _node(name: str, stage: dict[str, Any], writers: dict[str, str]) -> StageNode:
    deps = tuple(stage.get("deps", []))
    meta = stage["meta"]
    return StageNode(
        name=name,
        desc=stage.get("desc", ""),
        deps=deps,
        outs=tuple(stage.get("outs", [])),
        params=tuple(stage.get("params", [])),
        upstream=frozenset(writer for out, writer in writers.items() if any(_overlap(dep, out) for dep in deps)),
        dag=meta["dag"],
        pool=meta["pool"],
        retries=meta["retries"],
        timeout_minutes=meta["timeout"],
    )


def _overlap(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")
