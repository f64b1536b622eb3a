r"""An evaluation example: a question, what a good answer says, and how sure we are of it.

    {"id": "5d0c…", "question": "Which call waits for all jobs?",
     "ground_truth": {"answer": "Pool.join waits for them.", "answer_type": "text", "key_concepts": ["join"],
                      "evaluation_criteria": ["says what the reference answer says"]},
     "type": "factual", "difficulty": "easy", "difficulty_from": "given", "domain_category": "pottery",
     "source_kind": "expert", "source": "ticket 4711", "group": "5d0c…", "cluster": "5d0c…", "quality_score": 1.0,
     "annotation_confidence": 0.9, "annotators": 2, "complexity_score": 0.31}

Written by `evaluation_set`, read by whatever judges a model and, in the orchestrator's environment, by the
page on which people review; so it needs pydantic and nothing slower.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from acclimate.core.files import read_jsonl, write_jsonl
from acclimate.data.evaluation.evaluation_items import Question

SourceKind = Literal["customer_queries", "expert", "benchmarks", "failure_cases", "edge_cases"]
SOURCE_KINDS: tuple[SourceKind, ...] = ("customer_queries", "expert", "benchmarks", "failure_cases", "edge_cases")

Difficulty = Literal["easy", "medium", "hard"]
DIFFICULTIES: tuple[Difficulty, ...] = ("easy", "medium", "hard")

AnswerType = Literal["yes_no", "number", "phrase", "text"]
"""Yes or no; a number; up to five words; anything longer."""

Text = Annotated[str, Field(pattern=r"\S")]
Score = Annotated[float, Field(ge=0, le=1)]

TASK = "evaluation_set"
"""What the examples are called where they stand beside the items of other tasks."""
EXAMPLES_FILE = "examples.jsonl"
PENDING_FILE = "pending.jsonl"


class GroundTruth(BaseModel):
    """What a good answer says, and how to tell."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    answer: str
    """Empty while nobody has said what it is; only examples that wait in the queue may lack it."""
    answer_type: AnswerType
    key_concepts: list[str]
    """Terms of the domain that a good answer names."""
    evaluation_criteria: list[str]


class Example(BaseModel):
    """One example of the evaluation set, complete."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    """Of the question and the answer as first proposed: a correction keeps it, so that labels stay attached."""
    question: Text
    ground_truth: GroundTruth
    type: str
    difficulty: Difficulty
    difficulty_from: Literal["annotators", "given", "computed"]
    domain_category: str
    source_kind: SourceKind
    source: str
    group: str
    """Examples about the same thing; the documents' own group where the example comes from one."""
    cluster: str
    """As `split` names it: what is in one cluster was never divided between training and test."""
    quality_score: Score
    annotation_confidence: Score
    annotators: int
    """How many people have looked at it."""
    complexity_score: Score


class Pending(BaseModel):
    """An example that needs a person, and why."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: str
    proposed_answer: str
    """What people judge: the answer as it came in, whatever others have made of it since; may be empty."""
    example: Example


def example_id(question: str, answer: str) -> str:
    """A content hash (16 hex digits): the same question and proposed answer have the same id everywhere."""
    return hashlib.sha256(f"{question}\x00{answer}".encode()).hexdigest()[:16]


def read_examples(path: Path) -> list[Example]:
    """The examples of a file that `evaluation_set` wrote."""
    return [Example.model_validate(row) for row in read_jsonl(path)]


def read_pending(path: Path) -> list[Pending]:
    """The queue that `evaluation_set` wrote, most urgent first."""
    return [Pending.model_validate(row) for row in read_jsonl(path)]


def write_rows(path: Path, rows: Iterable[Example | Pending]) -> int:
    """Write examples or pending ones as JSONL and return how many."""
    return write_jsonl(path, (row.model_dump() for row in rows))


def questions_of(examples: Iterable[Example]) -> list[Question]:
    """The examples as the contamination check sees them: question and answer, nothing around."""
    return [Question(TASK, example.id, f"{example.question}\n{example.ground_truth.answer}") for example in examples]
