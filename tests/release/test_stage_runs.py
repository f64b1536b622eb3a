from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from acclimate.core.files import write_json
from acclimate.core.reports import report_path
from acclimate.release.register import register
from acclimate.release.registry import connect
from acclimate.release.stage_runs import PARENT, flattened, log_stages, numbers

TRAINING = ("train_domain", "train_task", "align", "compose")
BEGAN = 1_790_000_000.0
TIMING = {
    "began": BEGAN,
    "start_up_s": 0.5,
    "work_s": 4.0,
    "usage": {
        "seconds": [2.0, 4.0],
        "cpu_percent": [95.0, 101.5],
        "memory_mb": [300.0, 420.0],
        "gpu_memory_mb": [0.0, 0.0],
    },
}


@pytest.fixture
def logged(gated_run: Path) -> tuple[Path, str]:
    """A registered run whose stage `train_task` has a time and a line in dvc.lock; and its MLflow run."""
    write_json(gated_run / "timings/train_task.json", TIMING)
    deps = [{"path": "artifacts/mix/train.jsonl", "md5": "a" * 32}, {"path": "include/x.py", "md5": "b" * 32}]
    lock = {"schema": "2.0", "stages": {"train_task": {"cmd": "acclimate train_task", "deps": deps}}}
    (gated_run / "dvc.lock").write_text(yaml.safe_dump(lock), encoding="utf-8")
    return gated_run, str(register(gated_run)["run_id"])


def children(parent: str) -> dict[str, Any]:
    client = connect()
    experiment = client.get_run(parent).info.experiment_id
    found = client.search_runs([experiment], f"tags.`{PARENT}` = '{parent}'")
    return {run.info.run_name: run for run in found}


def test_every_stage_that_has_a_report_is_a_run_below_the_pipeline_run(logged: tuple[Path, str]) -> None:
    _, parent = logged
    assert set(children(parent)) == {"mix", "base", *TRAINING, "gate", "quantize", "evaluate_quantized"}
    assert connect().get_run(parent).info.run_name == "run-a"


def test_a_stage_is_logged_with_the_time_it_ran_its_dials_numbers_inputs_and_usage(logged: tuple[Path, str]) -> None:
    _, parent = logged
    train = children(parent)["train_task"]
    assert (train.info.start_time, train.info.end_time) == (int(BEGAN * 1000), int((BEGAN + 4.5) * 1000))
    assert train.data.params["training.rank"] == "16"
    assert "gate.alpha" not in train.data.params
    assert train.data.metrics["trained.steps"] == 2
    assert train.data.metrics["seconds/work_s"] == 4.0
    (entry,) = train.inputs.dataset_inputs
    assert (entry.dataset.name, entry.dataset.digest) == ("artifacts/mix/train.jsonl", "a" * 32)
    memory = connect().get_metric_history(train.info.run_id, "system/process_memory_megabytes")
    assert [(point.value, point.timestamp) for point in memory] == [
        (300.0, int((BEGAN + 2) * 1000)),
        (420.0, int((BEGAN + 4) * 1000)),
    ]
    assert "system/process_gpu_memory_megabytes" not in train.data.metrics
    assert [file.path for file in connect().list_artifacts(train.info.run_id)] == ["train_task.json"]


def test_logging_again_adds_only_what_is_new(logged: tuple[Path, str]) -> None:
    checkout, parent = logged
    client = connect()
    run = client.get_run(parent)
    assert log_stages(client, run, checkout) == []
    write_json(report_path("evaluate_quantized", checkout), {"headline": "later", "verdict": "promote"})
    assert log_stages(client, run, checkout) == ["evaluate_quantized"]


def test_dials_are_flattened_by_their_dotted_path() -> None:
    assert flattened({"a": {"b": 1, "c": [None, "x"]}}) == {"a.b": "1", "a.c.0": "null", "a.c.1": "x"}


def test_numbers_are_named_by_their_place_and_in_letters_that_mlflow_takes() -> None:
    report = {"n": 3, "kinds": {"a(b)": {"share": 0.5}}, "text": "x", "curve": [[1, 2.0]], "ok": True, "none": None}
    assert dict(numbers(report)) == {"n": 3.0, "kinds.a_b_.share": 0.5, "ok": 1.0}
