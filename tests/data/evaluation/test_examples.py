"""examples: what is written is what is read, and what others see of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from acclimate.data.evaluation.evaluation_items import Question
from acclimate.data.evaluation.examples import (
    Example,
    Pending,
    example_id,
    questions_of,
    read_examples,
    read_pending,
    write_rows,
)

ROW: dict[str, Any] = {
    "id": example_id("Which valve?", "The inlet."),
    "question": "Which valve?",
    "ground_truth": {
        "answer": "The inlet\u2028valve.",
        "answer_type": "phrase",
        "key_concepts": ["inlet"],
        "evaluation_criteria": ["names inlet"],
    },
    "type": "factual",
    "difficulty": "easy",
    "difficulty_from": "annotators",
    "domain_category": "pottery",
    "source_kind": "edge_cases",
    "source": "a book",
    "group": "valves",
    "cluster": "valves",
    "quality_score": 1.0,
    "annotation_confidence": 0.9,
    "annotators": 2,
    "complexity_score": 0.25,
}


def test_examples_and_the_queue_come_back_as_they_were_written(tmp_path: Path) -> None:
    example = Example.model_validate(ROW)
    assert write_rows(tmp_path / "examples.jsonl", [example, example]) == 2
    assert read_examples(tmp_path / "examples.jsonl") == [example, example]
    write_rows(tmp_path / "pending.jsonl", [Pending(reason="no answer", proposed_answer="", example=example)])
    assert read_pending(tmp_path / "pending.jsonl") == [
        Pending(reason="no answer", proposed_answer="", example=example)
    ]


def test_the_contamination_check_sees_question_and_answer() -> None:
    assert questions_of([Example.model_validate(ROW)]) == [
        Question("evaluation_set", ROW["id"], "Which valve?\nThe inlet\u2028valve.")
    ]


@pytest.mark.parametrize("fault", [{"difficulty": "extreme"}, {"quality_score": 1.1}, {"label": 1}, {"question": " "}])
def test_what_breaks_the_contract_is_refused(fault: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Example.model_validate(ROW | fault)


def test_the_id_is_of_question_and_answer_and_tells_them_apart() -> None:
    assert example_id("a", "bc") != example_id("ab", "c")
    assert example_id("a", "b") == example_id("a", "b")
