"""proposals: what people give, line by line, and the test store's pairs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from acclimate.core.errors import UserError
from acclimate.core.records import Reject
from acclimate.data.evaluation.examples import example_id
from acclimate.data.evaluation.proposals import Proposal, held_out_pairs, read_given

Make = Callable[..., dict[str, Any]]
ORIGIN = "inputs/evaluation/expert.jsonl:1"


def _read(directory: Path, content: bytes, name: str = "expert.jsonl") -> list[Proposal | Reject]:
    directory.mkdir(exist_ok=True)
    (directory / name).write_bytes(content)
    return list(read_given(directory, "pottery"))


def test_the_file_says_the_kind_and_a_question_is_enough(tmp_path: Path) -> None:
    (found,) = _read(tmp_path, b'\xef\xbb\xbf{"question": "Why does clay crack?"}\n\n', "customer_queries.jsonl")
    assert isinstance(found, Proposal)
    assert (found.kind, found.answer, found.domain) == ("customer_queries", "", "pottery")
    assert found.cluster == found.id == example_id("Why does clay crack?", "")
    assert found.origin == "inputs/evaluation/customer_queries.jsonl:1"


def test_a_whole_example_is_read_as_given(tmp_path: Path) -> None:
    line = (
        '{"question": "Why?", "ground_truth": {"answer": "Drying.", "answer_type": "phrase", "key_concepts": ["clay"], '
        '"evaluation_criteria": ["names drying"]}, "type": "explanation", "difficulty": "hard", "group": "cracks", '
        '"domain_category": "firing", "source": "a book", "quality_score": 1, "annotation_confidence": 0.9}'
    )
    (found,) = _read(tmp_path, line.encode())
    assert isinstance(found, Proposal)
    assert (found.given.difficulty, found.given.domain_category, found.cluster) == ("hard", "firing", "cracks")
    assert found.given.ground_truth.key_concepts == ["clay"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "not JSON"),
        (b"[]", "not a JSON object"),
        (b"{}", "no question"),
        (b'{"question": " "}', "empty text"),
        (b'{"question": "Why?", "ground_truth": {"answer": ""}}', "empty text"),
        (b'{"question": "Why?", "answer": "Because."}', "unknown field"),
        (b'{"question": "Why?", "difficulty": "extreme"}', "field of the wrong type or value"),
        (b'{"question": "Why?", "quality_score": 2}', "field of the wrong type or value"),
        (b'{"question": "Why\xff?"}', "not UTF-8"),
    ],
)
def test_a_line_that_is_no_example_is_rejected_with_where_and_why(tmp_path: Path, line: bytes, reason: str) -> None:
    (found,) = _read(tmp_path, line)
    assert isinstance(found, Reject)
    assert (found.reason, found.origin, found.source) == (reason, ORIGIN, "expert")
    assert found.detail


def test_a_file_that_names_no_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds queries\.jsonl, which names no kind of source"):
        _read(tmp_path, b"{}", "queries.jsonl")


def test_no_files_are_no_proposals(tmp_path: Path) -> None:
    assert list(read_given(tmp_path, "pottery")) == []


def test_only_pairs_of_the_domain_become_benchmarks(document: Make) -> None:
    pair = {"type": "qa_pair", "question": "What cracks?", "answer": "Clay.", "quality_score": 0.9}
    rows = [
        document("a text"),
        document("a pair", **pair, group="clay"),
        document("a general pair", **pair, domain="general"),
    ]
    (found,) = held_out_pairs([row | {"cluster": "crack"} for row in rows], confidence=0.85)
    assert (found.kind, found.cluster, found.given.group, found.answer) == ("benchmarks", "crack", "clay", "Clay.")
    assert (found.given.quality_score, found.given.annotation_confidence) == (0.9, 0.85)


@pytest.mark.parametrize(("word", "level"), [("hard", "hard"), ("tricky", None), (None, None)])
def test_a_documents_own_word_for_difficulty_counts_if_it_is_one_of_ours(
    document: Make, word: str | None, level: str | None
) -> None:
    row = document("a pair", type="qa_pair", question="What?", answer="Clay.", difficulty=word) | {"cluster": "c"}
    (found,) = held_out_pairs([row], confidence=0.85)
    assert found.given.difficulty == level


def test_context_stands_before_the_question(document: Make) -> None:
    row = document("x", type="qa_pair", question="What?", answer="Clay.", context="It cracks.") | {"cluster": "c"}
    (found,) = held_out_pairs([row], confidence=0.85)
    assert found.given.question == "It cracks.\n\nWhat?"
