r"""Proposed evaluation examples: what people put into inputs/evaluation, and the test store's questions.

    {"question": "Which call waits for all jobs?", "ground_truth": {"answer": "Pool.join."}, "source": "ticket 4711"}

The name of a file says the kind of source: customer_queries.jsonl, expert.jsonl, benchmarks.jsonl,
failure_cases.jsonl or edge_cases.jsonl. A line needs a question; all else may be left out, the answer too, which
somebody then writes in the review queue. A line that is no such object is rejected with its file, line and reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from acclimate.core.errors import UserError
from acclimate.core.records import GENERAL, Reject
from acclimate.data.evaluation.annotations import REVIEWS
from acclimate.data.evaluation.examples import (
    DIFFICULTIES,
    SOURCE_KINDS,
    AnswerType,
    Difficulty,
    Score,
    SourceKind,
    Text,
    example_id,
)

_REASONS = {
    "json_invalid": "not JSON",
    "model_type": "not a JSON object",
    "missing": "no question",
    "extra_forbidden": "unknown field",
    "string_pattern_mismatch": "empty text",
}
_OTHER_REASON = "field of the wrong type or value"

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Row = dict[str, Any]


class GivenTruth(BaseModel):
    """As much of the ground truth as a person gives."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    answer: Text | None = None
    answer_type: AnswerType | None = None
    key_concepts: list[Text] | None = None
    evaluation_criteria: list[Text] | None = None


class Given(BaseModel):
    """As much of an example as a person gives; a null is the same as leaving the field out."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    question: Text
    ground_truth: GivenTruth = GivenTruth()
    type: Name | None = None
    difficulty: Difficulty | None = None
    domain_category: Name | None = None
    source: Text | None = None
    group: Text | None = None
    quality_score: Score | None = None
    annotation_confidence: Score | None = None


@dataclass(frozen=True)
class Proposal:
    """An example as it came in."""

    given: Given
    kind: SourceKind
    cluster: str
    domain: str
    """What it is about, unless `given` says."""
    origin: str
    """File and line, or the store and the document."""

    @property
    def answer(self) -> str:
        """The proposed answer; empty if there is none yet."""
        return self.given.ground_truth.answer or ""

    @property
    def id(self) -> str:
        """The example's id."""
        return example_id(self.given.question, self.answer)

    def rejected(self, reason: str, detail: str) -> Reject:
        """This proposal, not used."""
        return Reject(self.id, self.given.source or self.kind, self.origin, reason, detail, self.given.question[:120])


def read_given(directory: Path, domain: str) -> Iterator[Proposal | Reject]:
    """Every line of the kinds' files in `directory`, kinds in the order of SOURCE_KINDS.

    Raises:
        UserError: if a JSONL file is there whose name is no kind.
    """
    _require_known_names(directory)
    for kind in SOURCE_KINDS:
        path = directory / f"{kind}.jsonl"
        if path.exists():
            for number, line in enumerate(path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
                if line.strip():
                    yield _given(kind, line.strip(), f"inputs/evaluation/{path.name}:{number}", domain)


def held_out_pairs(rows: Sequence[Row], confidence: float) -> Iterator[Proposal]:
    """The question-answer pairs of the domain in the test store, as benchmarks.

    Args:
        rows: documents with their `cluster`.
        confidence: what to trust an answer with that its document gives and nobody has reviewed.
    """
    for row in rows:
        if row["type"] == "qa_pair" and row["domain"] != GENERAL:
            question = f"{row['context']}\n\n{row['question']}" if row["context"] else row["question"]
            given = Given(
                question=question,
                ground_truth=GivenTruth(answer=row["answer"]),
                difficulty=row["difficulty"] if row["difficulty"] in DIFFICULTIES else None,
                source=row["source"],
                group=row["group"],
                quality_score=row["quality_score"],
                annotation_confidence=confidence,
            )
            yield Proposal(given, "benchmarks", row["cluster"], row["domain"], f"split: test {row['id']}")


def _given(kind: SourceKind, line: bytes, origin: str, domain: str) -> Proposal | Reject:
    try:
        given = Given.model_validate_json(line.decode("utf-8"))
    except UnicodeDecodeError as fault:
        return _bad_line(kind, line, origin, "not UTF-8", f"byte {fault.start} of the line: {fault.reason}")
    except ValidationError as faults:
        first = faults.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        message = " ".join(first["msg"].split())
        detail = f"{where}: {message}" if where else message
        return _bad_line(kind, line, origin, _REASONS.get(first["type"], _OTHER_REASON), detail)
    identity = example_id(given.question, given.ground_truth.answer or "")
    return Proposal(given, kind, given.group or identity, domain, origin)


def _bad_line(kind: SourceKind, line: bytes, origin: str, reason: str, detail: str) -> Reject:
    text = line.decode("utf-8", errors="replace")
    return Reject(example_id(text, ""), kind, origin, reason, detail, text[:120])


def _require_known_names(directory: Path) -> None:
    known = {*(f"{kind}.jsonl" for kind in SOURCE_KINDS), REVIEWS.name}
    unknown = sorted(path.name for path in directory.glob("*.jsonl") if path.name not in known)
    if unknown:
        raise UserError(
            f"inputs/evaluation holds {', '.join(unknown)}, which names no kind of source",
            why="the file's name says which quota its examples count for",
            fix=f"call it one of {', '.join(f'{kind}.jsonl' for kind in SOURCE_KINDS)}",
        )
