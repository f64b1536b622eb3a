from pathlib import Path
from typing import Any

import pytest
import yaml

from acclimate.core.params import EvaluationSetParams
from acclimate.data.evaluation.examples import Example
from acclimate.data.validation.example_checks import check_examples

PARAMS = EvaluationSetParams.model_validate(
    yaml.safe_load((Path(__file__).parents[3] / "params.yaml").read_text())["evaluation_set"]
)


def _example(identity: str, **changes: Any) -> Example:
    usual = {
        "id": identity,
        "question": "Which call waits for all jobs?",
        "ground_truth": {"answer": "join", "answer_type": "phrase", "key_concepts": [], "evaluation_criteria": []},
        "type": "factual",
        "difficulty": "easy",
        "difficulty_from": "given",
        "domain_category": "pottery",
        "source_kind": "expert",
        "source": "ticket",
        "group": identity,
        "cluster": identity,
        "quality_score": 1.0,
        "annotation_confidence": 0.9,
        "annotators": 2,
        "complexity_score": 0.3,
    }
    return Example.model_validate(usual | changes)


def _unanswered() -> dict[str, Any]:
    return {"answer": " ", "answer_type": "phrase", "key_concepts": [], "evaluation_criteria": []}


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"quality_score": PARAMS.min_quality}, "expect_column_values_to_be_between(quality_score)"),
        (
            {"annotation_confidence": PARAMS.min_annotation_confidence},
            "expect_column_values_to_be_between(annotation_confidence)",
        ),
        ({"ground_truth": _unanswered()}, "expect_column_values_to_match_regex(answer)"),
    ],
)
def test_an_example_that_is_not_good_enough_is_found_by_its_position(
    tmp_path: Path, changes: dict[str, Any], name: str
) -> None:
    outcomes = check_examples(PARAMS, [_example("a"), _example("b", **changes)], tmp_path)
    assert [(outcome.name, outcome.rows) for outcome in outcomes if not outcome.success] == [(name, [1])]


def test_examples_of_one_id_are_found_and_the_data_docs_written(tmp_path: Path) -> None:
    outcomes = check_examples(PARAMS, [_example("a"), _example("a")], tmp_path)
    [failed] = [outcome for outcome in outcomes if not outcome.success]
    assert (failed.name, failed.rows) == ("expect_column_values_to_be_unique(id)", [0, 1])
    assert "evaluation" in (tmp_path / "index.html").read_text()


def test_no_examples_are_no_fault(tmp_path: Path) -> None:
    assert check_examples(PARAMS, [], tmp_path) == []
