"""judging: whose word counts for what, and why an example may not be used."""

from __future__ import annotations

from typing import Any

import pytest

from acclimate.core.params import EvaluationSetParams
from acclimate.data.evaluation.annotations import Annotation
from acclimate.data.evaluation.complexity import Vocabulary
from acclimate.data.evaluation.judging import (
    LOW_QUALITY,
    TURNED_DOWN,
    WAITING,
    Judged,
    answer_type,
    judge,
    question_type,
)
from acclimate.data.evaluation.proposals import Given, Proposal

VOCABULARY = Vocabulary(frozenset(["what", "cracks"]), frozenset(["clay", "kiln"]))


@pytest.fixture
def judged(evaluation_set_params: EvaluationSetParams) -> Any:
    """judged(given, *labels): the example that comes of it."""

    def make(given: dict[str, Any] | None = None, *labels: dict[str, Any]) -> Judged:
        fields: dict[str, Any] = {"question": "What cracks?", "ground_truth": {"answer": "Wet clay."}}
        fields |= {"quality_score": 0.9, "annotation_confidence": 0.9} | (given or {})
        proposal = Proposal(Given.model_validate(fields), "expert", "c", "pottery", "expert.jsonl:1")
        known = {
            str(person): Annotation.model_validate(
                {"example": proposal.id, "annotator": str(person), "verdict": "accept", "confidence": 0.95} | label
            )
            for person, label in enumerate(labels)
        }
        return judge(proposal, known, VOCABULARY, evaluation_set_params)

    return make


def test_a_sure_and_good_example_is_used_and_complete(judged: Any) -> None:
    found = judged()
    assert found.problem == ""
    example = found.example
    assert (example.source, example.domain_category, example.type) == ("expert", "pottery", "factual")
    assert example.ground_truth.key_concepts == ["clay"]
    assert example.ground_truth.evaluation_criteria[-1] == "names clay"
    assert (example.ground_truth.answer_type, example.difficulty_from, example.annotators) == ("phrase", "computed", 0)


@pytest.mark.parametrize(
    ("given", "labels", "problem", "detail"),
    [
        ({"quality_score": 0.7}, [], LOW_QUALITY, "quality 0.7, more than 0.7 needed"),
        (
            {"annotation_confidence": 0.8},
            [],
            WAITING,
            "confidence 0.8 and nobody has reviewed it; more than 0.8 needed",
        ),
        ({"annotation_confidence": None}, [], WAITING, "confidence 0 and nobody has reviewed it; more than 0.8 needed"),
        ({"ground_truth": {}}, [], WAITING, "it has no answer yet"),
        ({"ground_truth": {}}, [{"verdict": "accept"}], WAITING, "it has no answer yet"),
        ({}, [{"verdict": "reject"}], TURNED_DOWN, "confidence 0.95 of 1"),
        ({}, [{"verdict": "reject"}, {}], WAITING, "confidence 0.475 of 2 annotators; more than 0.8 needed"),
        (
            {},
            [{"verdict": "reject", "confidence": 0.5}],
            WAITING,
            "confidence 0.5 of 1 annotators; more than 0.8 needed",
        ),
    ],
)
def test_why_an_example_is_not_used(
    judged: Any, given: dict[str, Any], labels: list[dict[str, Any]], problem: str, detail: str
) -> None:
    found = judged(given, *labels)
    assert (found.problem, found.detail) == (problem, detail)


def test_a_review_takes_an_unsure_example_in(judged: Any) -> None:
    found = judged({"annotation_confidence": 0.1}, {})
    assert (found.problem, found.example.annotation_confidence, found.example.annotators) == ("", 0.95, 1)


def test_a_corrected_answer_brings_its_own_terms_and_type_and_keeps_the_id(judged: Any) -> None:
    given = {"ground_truth": {"answer": "Wet clay.", "key_concepts": ["clay"], "answer_type": "phrase"}}
    before, after = judged(given), judged(given, {"verdict": "edit", "answer": "The wall of the kiln, in winter only."})
    truth = after.example.ground_truth
    assert (truth.answer_type, truth.key_concepts) == ("text", ["kiln"])
    assert after.example.id == before.example.id


def test_a_missing_answer_is_written_by_a_person(judged: Any) -> None:
    found = judged({"ground_truth": {}}, {"verdict": "edit", "answer": "Dry clay."})
    assert (found.problem, found.example.ground_truth.answer) == ("", "Dry clay.")


def test_annotators_go_before_what_was_given_and_that_before_computation(judged: Any) -> None:
    levels = [judged(), judged({"difficulty": "hard"}), judged({"difficulty": "hard"}, {"difficulty": "medium"})]
    assert [(one.example.difficulty, one.example.difficulty_from) for one in levels] == [
        ("easy", "computed"),
        ("hard", "given"),
        ("medium", "annotators"),
    ]


def test_without_a_quality_score_the_rules_decide(judged: Any) -> None:
    assert judged({"quality_score": None}).example.quality_score == 1.0
    bad = judged({"quality_score": None, "question": "## ## ## 1 2 3 4 5 lorem ipsum"})
    assert bad.problem == LOW_QUALITY


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("What is clay?", "definition"),
        ("How do I fire it?", "procedure"),
        ("why?", "explanation"),
        ("Does it crack?", "yes_no"),
        ("What does it do?", "factual"),
        ("How it was found is unknown.\n\nWhat is it?", "definition"),
        ("Issue with clay", "factual"),
    ],
)
def test_question_types(question: str, kind: str) -> None:
    assert question_type(question) == kind


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("Yes.", "yes_no"),
        ("-1,200.5", "number"),
        ("40 %", "number"),
        ("wet clay", "phrase"),
        ("it is made of clay and more", "text"),
    ],
)
def test_answer_types(answer: str, kind: str) -> None:
    assert answer_type(answer) == kind
