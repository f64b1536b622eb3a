"""Which logical run a DAG run works on, written down by the task open_run of each DAG.

    .acclimate/dag_runs/adapt_model/asset_triggered-2026-11-20T19-03-56-1f2e3d.json
    {"dag_id": "adapt_model", "run_id": "asset_triggered__2026-11-20T19:03:56…", "run": "demo"}

The report pages and `acclimate demo` look it up; Airflow itself only knows it as a task's result.
"""

from __future__ import annotations

from pathlib import Path

from acclimate.core.files import read_json, write_json
from acclimate.core.home import state
from acclimate.core.runs import key_of


def note_dag_run(root: Path, dag_id: str, run_id: str, key: str) -> None:
    """Write down that DAG run `run_id` of `dag_id` works on run `key`."""
    write_json(_path(root, dag_id, run_id), {"dag_id": dag_id, "run_id": run_id, "run": key})


def run_of(root: Path, dag_id: str, run_id: str) -> str | None:
    """The key of the run that a DAG run works on; None before its task open_run has said so."""
    path = _path(root, dag_id, run_id)
    return str(read_json(path)["run"]) if path.exists() else None


def _path(root: Path, dag_id: str, run_id: str) -> Path:
    return state(root) / "dag_runs" / key_of(dag_id) / f"{key_of(run_id)}.json"
