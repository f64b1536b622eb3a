"""External benchmarks: every file format, lm-eval tasks, and what is not there."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml
from pydantic import ValidationError

from acclimate.core.errors import UserError
from acclimate.core.files import write_parquet
from acclimate.core.params.contamination import Benchmark
from acclimate.data.contamination.external_benchmarks import read_benchmark
from acclimate.data.evaluation.evaluation_items import Question
from acclimate.data.sources.record_files import values_at

ROWS = [{"id": "a", "stem": "What glows?"}, {"id": "b", "stem": "What is fired twice?"}]
EXPECTED = [Question("quiz", "a", "What glows?"), Question("quiz", "b", "What is fired twice?")]


def _write(path: Path) -> None:
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    elif path.suffix == ".json":
        path.write_text(json.dumps(ROWS))
    elif path.suffix == ".parquet":
        write_parquet(path, pa.Table.from_pylist(ROWS))
    else:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, ["id", "stem"], delimiter="," if path.suffix == ".csv" else "\t")
            writer.writeheader()
            writer.writerows(ROWS)


@pytest.mark.parametrize("ending", ["jsonl", "json", "csv", "tsv", "parquet"])
def test_a_file_of_any_format_is_read_by_its_mapping(tmp_path: Path, ending: str) -> None:
    _write(tmp_path / f"quiz.{ending}")
    benchmark = Benchmark(name="quiz", path=f"inputs/quiz.{ending}", text="stem", id="id")
    assert read_benchmark(benchmark, tmp_path) == EXPECTED


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("question.stem", ["Why?"]),
        ("question.choices.text", ["one", "two"]),
        ("question.choices.1.text", ["two"]),
        ("question.choices.7.text", []),
        ("question.choices.².text", []),
        ("question", []),
        ("answer.stem", []),
        ("count", ["3"]),
        ("nothing", []),
    ],
)
def test_a_path_leads_into_objects_and_lists(path: str, expected: list[str]) -> None:
    row: dict[str, Any] = {
        "question": {"stem": "Why?", "choices": [{"text": "one"}, {"text": "two"}]},
        "answer": "B",
        "count": 3,
        "nothing": None,
    }
    assert values_at(row, path.split(".")) == expected


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("absent.jsonl", None, "is not there"),
        ("quiz.docx", "x", "has none of the endings"),
        ("quiz.jsonl", "{not json}\n", "cannot be read"),
        ("quiz.jsonl", '{"other": 1}\n', "record 0 of .* has nothing at stem"),
        ("quiz.jsonl", "", "has no item"),
    ],
)
def test_what_cannot_be_looked_for_is_named(tmp_path: Path, name: str, content: str | None, problem: str) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=problem) as fault:
        read_benchmark(Benchmark(name="quiz", path=f"inputs/{name}", text="stem"), tmp_path)
    assert "decontaminate.benchmarks" in str(fault.value)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"path": "inputs/a.jsonl", "task": "arc_easy"},
        {"path": "inputs/a.jsonl"},
        {"path": "/etc/passwd", "text": "t"},
    ],
)
def test_a_benchmark_is_one_file_below_inputs_with_a_mapping_or_one_task(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Benchmark(name="quiz", **given)


def _write_task(folder: Path, **more: Any) -> None:
    (folder / "data").mkdir(parents=True)
    (folder / "data/quiz.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    task = {
        "task": "local_quiz",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(folder / "data/quiz.jsonl")}},
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "Question: {{stem}}",
        "doc_to_target": "id",
        **more,
    }
    (folder / "local_quiz.yaml").write_text(yaml.safe_dump(task))


@pytest.mark.parametrize(
    ("more", "texts"),
    [
        ({}, ["Question: What glows?", "Question: What is fired twice?"]),
        (
            {"should_decontaminate": True, "doc_to_decontamination_query": "stem"},
            ["What glows?", "What is fired twice?"],
        ),
    ],
)
def test_an_lm_eval_task_is_read_through_its_task_manager(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: dict[str, Any], texts: list[str]
) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    _write_task(tmp_path / "tasks", **more)
    benchmark = Benchmark(name="quiz", task="local_quiz", task_folder="inputs/tasks")
    assert [item.text for item in read_benchmark(benchmark, tmp_path)] == texts


def test_a_task_that_nobody_knows_and_one_without_data_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    _write_task(tmp_path / "tasks")
    with pytest.raises(UserError, match="there is no task 'other'"):
        read_benchmark(Benchmark(name="quiz", task="other", task_folder="inputs/tasks"), tmp_path)
    (tmp_path / "tasks/data/quiz.jsonl").unlink()
    with pytest.raises(UserError, match="the data of lm-eval task local_quiz is not at hand"):
        read_benchmark(Benchmark(name="quiz", task="local_quiz", task_folder="inputs/tasks"), tmp_path)
