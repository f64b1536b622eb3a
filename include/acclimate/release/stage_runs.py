"""One MLflow run per stage, below the run that the model version belongs to.

    run-a                          all dials, the gate's metrics, the training set, the model
    ├─ ingest   10.1 s             its dials, the numbers of its report, its inputs by hash, what it used of the machine
    ├─ …
    └─ gate      1.0 s

A stage is logged with the time at which it ran, be it days before registration; one that DVC took from its cache has
its report and its inputs, but no time and no usage of its own. Logging the same report again changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.core.files import read_json, sha256
from acclimate.core.reports import report_path
from acclimate.core.yaml_text import parse_yaml
from acclimate.pipeline import STAGES

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput, Metric, Run

PARENT = "mlflow.parentRunId"
"""The tag by which MLflow's pages put a run below another."""
REPORT = "report_sha256"
SYSTEM = {
    "cpu_percent": "system/process_cpu_percentage",
    "memory_mb": "system/process_memory_megabytes",
    "gpu_memory_mb": "system/process_gpu_memory_megabytes",
}
"""Series of core/usage.py to metrics; what begins with system/ MLflow shows as system metrics."""
ENTITIES = 100
"""Params, and as many metrics, in one request; MLflow takes 100 and 1,000."""


def log_stages(client: MlflowClient, parent: Run, checkout: Path) -> list[str]:
    """Log every stage that has a report in `checkout` and is not there yet; returns their names.

    Args:
        client: of the registry.
        parent: the MLflow run of the pipeline run.
        checkout: where the stages ran.
    """
    known = {
        (child.info.run_name, child.data.tags.get(REPORT))
        for child in client.search_runs([parent.info.experiment_id], f"tags.`{PARENT}` = '{parent.info.run_id}'")
    }
    logged = []
    lock = checkout / "dvc.lock"
    recorded = (parse_yaml(lock.read_text(encoding="utf-8")) if lock.exists() else {}).get("stages") or {}
    for stage in STAGES:
        path = report_path(stage, checkout)
        if path.exists() and (stage, sha256(path)) not in known:
            _log_stage(client, parent, checkout, stage, _inputs(stage, recorded.get(stage, {})))
            logged.append(stage)
    return logged


def flattened(values: Any, prefix: str = "") -> dict[str, str]:
    """Nested dials as MLflow params: {"training.rank": "16", "ingest.sources.0.name": "inputs", …}."""
    if isinstance(values, dict | list):
        items = values.items() if isinstance(values, dict) else enumerate(values)
        return {
            key: text
            for part, value in items
            for key, text in flattened(value, f"{prefix}.{part}" if prefix else str(part)).items()
        }
    return {prefix: "null" if values is None else str(values)}


def data_inputs(files: Mapping[str, str], where: Mapping[str, str], context: str) -> list[DatasetInput]:
    """Files by their hash, as MLflow's dataset inputs.

    Args:
        files: path in the checkout to its hash in hex.
        where: what leads to the files: the git commit and tag.
        context: what they were used for.
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag

    inputs = []
    for path, digest in files.items():
        source = json.dumps({"tags": {**where, "path": path}})
        # MLflow keeps at most 36 characters of a digest; the tag has all of it.
        dataset = Dataset(name=path, digest=digest[:32], source_type="code", source=source)
        inputs.append(DatasetInput(dataset, [InputTag("mlflow.data.context", context), InputTag("hash", digest)]))
    return inputs


def _log_stage(client: MlflowClient, parent: Run, checkout: Path, stage: str, inputs: dict[str, str]) -> None:
    from mlflow.entities import Param

    path = report_path(stage, checkout)
    report, timing = read_json(path), _timing(checkout, stage)
    began = timing.get("began", path.stat().st_mtime)
    seconds = timing.get("start_up_s", 0.0) + timing.get("work_s", 0.0)
    run = client.create_run(
        parent.info.experiment_id,
        start_time=int(1000 * began),
        run_name=stage,
        tags={PARENT: parent.info.run_id, "headline": report["headline"][:4000]},
    )
    dials = parse_yaml((checkout / "params.yaml").read_text(encoding="utf-8"))
    own = flattened({section: dials.get(section) for section in STAGES[stage].sections})
    metrics = [*_metrics(numbers(report), began), *_system_metrics(timing, began)]
    params = [Param(*dial) for dial in own.items()]
    for first in range(0, max(len(params), len(metrics)), ENTITIES):
        some = slice(first, first + ENTITIES)
        client.log_batch(run.info.run_id, metrics[some], params[some])
    if inputs:
        client.log_inputs(run.info.run_id, data_inputs(inputs, _where(parent), "input"))
    client.log_artifact(run.info.run_id, str(path))
    client.set_tag(run.info.run_id, REPORT, sha256(path))  # last: a run without it was ended half-way
    client.set_terminated(run.info.run_id, end_time=int(1000 * (began + seconds)))


def numbers(report: Any, prefix: str = "") -> Iterator[tuple[str, float]]:
    """Every number in a report by its dotted place; lists are left out, they are curves and examples."""
    for name, value in report.items():
        place = f"{prefix}.{name}" if prefix else _safe(str(name))
        if isinstance(value, dict):
            yield from numbers({_safe(str(key)): inner for key, inner in value.items()}, place)
        elif isinstance(value, int | float):
            yield place, float(value)


def _safe(name: str) -> str:
    """`name` in the characters that MLflow allows in a metric's name."""
    return "".join(letter if letter.isalnum() or letter in "_-. /" else "_" for letter in name)


def _metrics(found: Iterable[tuple[str, float]], when: float) -> list[Metric]:
    from mlflow.entities import Metric

    return [Metric(name[:250], value, int(1000 * when), 0) for name, value in found][:500]


def _system_metrics(timing: dict[str, Any], began: float) -> Iterator[Metric]:
    from mlflow.entities import Metric

    usage = timing.get("usage", {})
    for series, name in SYSTEM.items():
        values = usage.get(series, [])
        if any(values):
            for step, (second, value) in enumerate(zip(usage["seconds"], values, strict=True)):
                yield Metric(name, value, int(1000 * (began + second)), step)
    for name in ("start_up_s", "work_s"):
        if name in timing:
            yield Metric(f"seconds/{name}", timing[name], int(1000 * began), 0)


def _timing(checkout: Path, stage: str) -> dict[str, Any]:
    path = checkout / "timings" / f"{stage}.json"
    timing: dict[str, Any] = read_json(path) if path.exists() else {}
    return timing


def _inputs(stage: str, recorded: dict[str, Any]) -> dict[str, str]:
    """The stage's inputs and the MD5 under which DVC keeps each, as dvc.lock has recorded them."""
    own = STAGES[stage].inputs.values()
    return {dep["path"]: dep["md5"] for dep in recorded.get("deps", []) if dep["path"] in own and "md5" in dep}


def _where(parent: Run) -> dict[str, str]:
    tags = parent.data.tags
    return {"git_commit": tags["git_commit"], "git_tag": f"acclimate/{tags['run']}"}
