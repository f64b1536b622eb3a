"""annotations: nothing people said is lost, doubled or misread."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from acclimate.core.errors import UserError
from acclimate.data.evaluation.annotations import (
    Added,
    Annotation,
    BadLine,
    add_annotations,
    latest,
    parse_lines,
    read_annotations,
)

NOW = "2026-11-21T09:30:00+00:00"
FIRST, SECOND = "0" * 16, "1" * 16


def label(**fields: Any) -> Annotation:
    return Annotation.model_validate(
        {"example": FIRST, "annotator": "ada", "verdict": "accept", "confidence": 0.9} | fields
    )


def line(**fields: Any) -> str:
    return json.dumps({"example": FIRST, "annotator": "ada", "verdict": "accept", "confidence": 0.9} | fields)


def test_adding_the_same_twice_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "evaluation/reviews.jsonl"
    labels = [label(), label(example=SECOND, verdict="reject")]
    assert add_annotations(path, labels, now=NOW) == Added(new=2, replaced=0, unchanged=0)
    before = path.read_bytes()
    assert add_annotations(path, labels, now="later") == Added(new=0, replaced=0, unchanged=2)
    assert path.read_bytes() == before


def test_a_new_judgement_counts_and_the_old_one_stays_on_record(tmp_path: Path) -> None:
    path = tmp_path / "reviews.jsonl"
    add_annotations(path, [label()], now=NOW)
    before = path.read_bytes()
    assert add_annotations(path, [label(verdict="reject")], now="later") == Added(new=1, replaced=1, unchanged=0)
    assert path.read_bytes().startswith(before)
    assert [one.verdict for one in read_annotations(path)] == ["accept", "reject"]
    assert latest(read_annotations(path))[FIRST]["ada"].verdict == "reject"


def test_going_back_to_an_earlier_judgement_is_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "reviews.jsonl"
    for verdict in ("accept", "reject", "accept"):
        add_annotations(path, [label(verdict=verdict)], now=NOW)
    assert latest(read_annotations(path))[FIRST]["ada"].verdict == "accept"
    assert len(read_annotations(path)) == 3


def test_text_survives_whatever_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "reviews.jsonl"
    answer = 'a\nb\u2028c\x85d "e" \N{SNOWMAN}'
    add_annotations(path, [label(verdict="edit", answer=answer)], now=NOW)
    assert read_annotations(path)[0].answer == answer


def test_a_file_without_a_last_line_end_is_continued_on_a_line_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "reviews.jsonl"
    path.write_text(line())
    add_annotations(path, [label(example=SECOND)], now=NOW)
    assert [one.example for one in read_annotations(path)] == [FIRST, SECOND]


def test_writers_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "reviews.jsonl"
    threads = [
        threading.Thread(target=add_annotations, args=(path, [label(annotator=f"person {i}")]), kwargs={"now": NOW})
        for i in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(latest(read_annotations(path))[FIRST]) == 12


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "not JSON"),
        ("[1]", "not a JSON object"),
        (line(example="4711"), "example: String should match"),
        (line(annotator=""), "annotator: String should have at least 1 character"),
        (line(verdict="maybe"), "verdict: Input should be 'accept', 'reject' or 'edit'"),
        (line(confidence=1.5), "confidence: Input should be less than or equal to 1"),
        (line(confidence=0), "confidence: Input should be greater than 0"),
        (line(confidence="0.9"), "confidence: Input should be a valid number"),
        (line(difficulty="impossible"), "difficulty: Input should be 'easy', 'medium' or 'hard'"),
        (line(verdict="edit"), "the verdict 'edit' needs a corrected answer"),
        (line(answer="four"), "no other verdict has one"),
        (line(remark="well"), "remark: Extra inputs are not permitted"),
        (line(example=SECOND), f"example: the newest evaluation set knows no {SECOND}"),
    ],
)
def test_a_line_that_is_no_judgement_is_named_with_its_reason(text: str, reason: str) -> None:
    good, bad = parse_lines([line(), "", text], "ada.jsonl", {FIRST})
    assert isinstance(good, Annotation)
    assert isinstance(bad, BadLine)
    assert bad.origin == "ada.jsonl:3"
    assert reason in bad.reason


def test_where_no_answer_is_proposed_there_is_none_to_accept() -> None:
    lines = [line(), line(verdict="reject"), line(verdict="edit", answer="This."), line(example=SECOND)]
    accepted, *others = parse_lines(lines, "ada.jsonl", {FIRST, SECOND}, unanswered={FIRST})
    assert accepted == BadLine("ada.jsonl:1", "verdict: there is no proposed answer to accept; 'edit' gives one")
    assert all(isinstance(other, Annotation) for other in others)


def test_lines_that_are_not_filled_in_are_passed_over() -> None:
    assert parse_lines([line(verdict=None, confidence=None), line(verdict="")], "ada.jsonl") == []


def test_what_an_exported_line_shows_may_come_back() -> None:
    (found,) = parse_lines([line(question="What?", proposed_answer="That.", reason="no answer yet")], "ada.jsonl")
    assert found == label()


def test_a_damaged_record_stops_whoever_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "reviews.jsonl"
    path.write_text(f"{line()}\n{line(confidence=7)}\n")
    with pytest.raises(UserError, match=r"1 damaged lines; the first: reviews\.jsonl:2: confidence"):
        read_annotations(path)


def test_no_file_is_no_judgement(tmp_path: Path) -> None:
    assert read_annotations(tmp_path / "reviews.jsonl") == []
