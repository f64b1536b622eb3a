r"""What the data stages hand each other.

    {"id": "9f2c…", "text": "numpy.argsort\n\nReturns the indices that would sort an array.",
     "source": "scientific_python", "type": "raw_text", "created_date": null, "quality_score": null,
     "language": "en", "licence": "BSD-3-Clause", "domain": "scientific_python", "group": "numpy.argsort",
     "question": null, "answer": null, "context": null, "difficulty": null}

Documents travel as Parquet with document_schema(); a rejected record goes to the stage's `rejected.jsonl`
as a Reject. `Document` checks one record at the edge, where it comes from outside.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    import pyarrow as pa

GENERAL = "general"
"""The value of `domain` on text that stands for the abilities the base model must keep."""

DocumentType = Literal["raw_text", "qa_pair", "synthetic"]


class Document(BaseModel):
    """One record of the corpus, checked. A qa_pair carries question and answer; its text is both."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(min_length=1)
    text: str = Field(min_length=1)
    source: str = Field(min_length=1)
    type: DocumentType
    created_date: date | None = None
    quality_score: float | None = Field(default=None, ge=0, le=1)
    language: str = Field(default="en", min_length=2)
    licence: str | None = None
    domain: str = Field(min_length=1)
    group: str = Field(min_length=1)
    question: str | None = None
    answer: str | None = None
    context: str | None = None
    difficulty: str | None = None


def document_schema() -> pa.Schema:
    """Document as Arrow columns, in contract order; a function because importing pyarrow takes 0.2 s."""
    import pyarrow as pa

    required = {"id", "text", "source", "type", "language", "domain", "group"}
    other: dict[str, pa.DataType] = {"created_date": pa.date32(), "quality_score": pa.float64()}
    return pa.schema(
        [pa.field(name, other.get(name, pa.string()), nullable=name not in required) for name in Document.model_fields]
    )


def document_id(source: str, text: str) -> str:
    """A content hash: the same text from the same source has the same id in every run (16 hex digits)."""
    return hashlib.sha256(f"{source}\x00{text}".encode()).hexdigest()[:16]


def pair_text(question: str, answer: str, context: str | None = None) -> str:
    """The text of a question-answer pair, the one form in which a model sees it."""
    opening = f"{context}\n\n" if context else ""
    return f"{opening}Question: {question}\nAnswer: {answer}"


@dataclass(frozen=True)
class Reject:
    """A record that a stage did not pass on: why, and where it came from."""

    id: str
    source: str
    origin: str
    """File and line, or the stage that produced the record."""
    reason: str
    """A short fixed phrase that can be counted, e.g. 'near-duplicate'."""
    detail: str
    """What makes it checkable: the other record's id, the rule's value, the parser's message."""
    excerpt: str
    """The first 120 characters of the text."""
