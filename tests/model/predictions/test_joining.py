from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from acclimate.core.errors import UserError
from acclimate.model.predictions.joining import Answer, joined, parsed_mapping

MAPPING = {"id": "id", "prediction": "output", "answer": "key"}


def written(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    predictions = [{"id": "b", "output": "B"}, {"id": "a", "output": ""}]
    references = [
        {"id": "a", "key": "A", "grade": 4, "question": {"choices": [{"label": "A"}, {"label": "B"}]}},
        {"id": "b", "key": ["B", "C"], "grade": None},
    ]
    return written(tmp_path / "predictions.jsonl", predictions), written(tmp_path / "references.jsonl", references)


def test_answers_come_in_the_order_of_the_references_with_labels_and_slices(files: tuple[Path, Path]) -> None:
    answers = joined(*files, {**MAPPING, "labels": "question.choices.label", "grade": "grade"})
    assert answers == [
        Answer("a", "", ("A",), ("A", "B"), "a", {"grade": "4"}),
        Answer("b", "B", ("B", "C"), (), "b", {"grade": "none"}),
    ]


def test_files_without_ids_are_paired_line_by_line_where_that_is_asked_for(tmp_path: Path) -> None:
    predictions = written(tmp_path / "p.jsonl", [{"output": "x"}, {"output": "y"}])
    references = tmp_path / "r.csv"
    references.write_text("key\nx\nz\n", encoding="utf-8")
    answers = joined(predictions, references, {**MAPPING, "id": "$line"})
    assert [(answer.prediction, answer.references) for answer in answers] == [("x", ("x",)), ("y", ("z",))]


def test_the_predictions_may_call_the_id_otherwise(tmp_path: Path) -> None:
    predictions = written(tmp_path / "p.jsonl", [{"meta": {"qid": 7}, "output": "x"}])
    references = written(tmp_path / "r.jsonl", [{"id": "7", "key": "x"}])
    assert joined(predictions, references, {**MAPPING, "prediction_id": "meta.qid"})[0].id == "7"


@pytest.mark.parametrize(
    ("predictions", "fault"),
    [
        ([{"id": "a", "output": "A"}], r"1 ids of .*references.jsonl are not in .*p.jsonl: b"),
        ([{"id": i, "output": ""} for i in "abc"], r"1 ids of .*p.jsonl are not in .*references.jsonl: c"),
        ([{"id": i, "output": ""} for i in "aba"], "an id more than once in 1 records: a"),
        ([{"output": "A"}], "no id at id in 1 records: record 1"),
        ([{"id": " ", "output": "A"}], "no id at id in 1 records: record 1"),
        ([{"id": "a", "answer": "A"}], "nothing at output, where the prediction should be, in 1 records: a"),
        ([], "holds no records"),
        (["a"], "holds values that are no records"),
    ],
)
def test_what_does_not_fit_is_named(
    files: tuple[Path, Path], tmp_path: Path, predictions: list[Any], fault: str
) -> None:
    with pytest.raises(UserError, match=fault):
        joined(written(tmp_path / "p.jsonl", predictions), files[1], MAPPING)


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("p.jsonl", "{", "cannot be read"),
        ("p.parquet", "no parquet", "cannot be read"),
        ("p.txt", "", "has none of the endings"),
        ("p.csv", None, "does not exist"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    files: tuple[Path, Path], tmp_path: Path, name: str, content: str | None, fault: str
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=fault):
        joined(tmp_path / name, files[1], MAPPING)


def test_every_fault_of_a_mapping_is_told_at_once() -> None:
    with pytest.raises(UserError) as fault:
        parsed_mapping(["id=id", "id=qid", "prediction", "=x"])
    assert fault.value.what == (
        "--mapping: 'prediction' is no NAME=PATH; '=x' is no NAME=PATH; id is given twice; answer is missing"
    )
