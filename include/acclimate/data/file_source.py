"""The source `files`: JSONL files below inputs/, one document a line.

    {"text": "The valve closes at 4 bar."}
    {"question": "When does the valve close?", "answer": "At 4 bar.", "context": "…", "group": "valve-7"}

A line that is not a document is rejected with its file, line and reason; the other lines count.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from acclimate.core.errors import UserError
from acclimate.core.params import FilesSource
from acclimate.core.records import Document, DocumentType, Reject, document_id, pair_text

Text = Annotated[str, Field(pattern=r"\S")]

_REASONS = {
    "json_invalid": "not JSON",
    "model_type": "not a JSON object",
    "extra_forbidden": "unknown field",
    "string_pattern_mismatch": "empty text",
    "value_error": "neither text nor question and answer",
}
_OTHER_REASON = "field of the wrong type or value"


class Line(BaseModel):
    """What a line may say. Source and domain come from params.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    text: Text | None = None
    question: Text | None = None
    answer: Text | None = None
    context: str | None = None
    id: Annotated[str, Field(min_length=1)] | None = None
    type: DocumentType | None = None
    created_date: date | None = None
    quality_score: Annotated[float, Field(ge=0, le=1)] | None = None
    language: Annotated[str, Field(min_length=2)] = "en"
    licence: str | None = None
    group: Annotated[str, Field(min_length=1)] | None = None
    difficulty: str | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Line:
        if (self.question is None) != (self.answer is None):
            raise ValueError("a question needs an answer, and an answer a question")
        if self.question is None and self.text is None:
            raise ValueError("a line needs text, or question and answer")
        if self.question is None and self.type == "qa_pair":
            raise ValueError("a qa_pair needs question and answer")
        return self


def read_lines(source: FilesSource, inputs: Path) -> Iterator[Document | Reject]:
    """Each line of the source's files, in order of file name, as a document or as the reason why it is none.

    Empty lines are passed over.

    Raises:
        UserError: if no file matches the source's path.
    """
    for path in matching_files(source, inputs):
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                written = line.removeprefix(b"\xef\xbb\xbf").strip() if number == 1 else line.strip()
                if written:
                    yield _document(source, written, f"{inputs.name}/{path.relative_to(inputs).as_posix()}:{number}")


def matching_files(source: FilesSource, inputs: Path) -> list[Path]:
    """The files that the source's path names, sorted.

    Raises:
        UserError: if there is none, the path is no pattern, or it leads out of inputs/, where DVC would
            not see changes.
    """
    pattern = PurePosixPath(source.path).relative_to("inputs")
    if ".." in pattern.parts:
        raise UserError(
            f"the source {source.name!r} reads {source.path!r}, which leads out of inputs/",
            why="DVC watches inputs/; a change elsewhere would not re-run ingest",
            fix="put or link the files below inputs/ and change its `path` in params.yaml",
        )
    try:
        paths = sorted(path for path in inputs.glob(str(pattern)) if path.is_file())
    except ValueError as fault:
        raise UserError(
            f"the source {source.name!r} reads {source.path!r}: {fault}",
            why="no file can be found by it",
            fix="change its `path` in params.yaml, e.g. to inputs/*.jsonl or inputs/**/*.jsonl",
        ) from None
    if not paths:
        raise UserError(
            f"no file matches {source.path}, the path of the source {source.name!r}",
            why="the source would contribute nothing to the corpus",
            fix="put JSONL files there (inputs/README.md shows a line), or change the source in params.yaml",
        )
    return paths


def _document(source: FilesSource, written: bytes, origin: str) -> Document | Reject:
    try:
        # Decoded first: pydantic takes a broken encoding for broken JSON, and a person mends the two differently.
        line = Line.model_validate_json(written.decode("utf-8"))
    except UnicodeDecodeError as fault:
        return _reject(source, written, origin, "not UTF-8", f"byte {fault.start} of the line: {fault.reason}")
    except ValidationError as faults:
        first = faults.errors(include_url=False, include_input=False)[0]
        return _reject(source, written, origin, _REASONS.get(first["type"], _OTHER_REASON), _detail(first))
    text = line.text or pair_text(line.question or "", line.answer or "", line.context)
    identity = line.id or document_id(source.name, text)
    given = line.model_dump(exclude={"id", "text", "type", "licence", "group"})
    return Document(
        id=identity,
        text=text,
        source=source.name,
        type=line.type or ("raw_text" if line.question is None else "qa_pair"),
        licence=line.licence or source.licence,
        domain=source.domain,
        group=line.group or identity,
        **given,
    )


def _detail(fault: Any) -> str:
    where = ".".join(str(part) for part in fault["loc"])
    message = " ".join(str(fault["msg"]).split()).removeprefix("Value error, ")
    return f"{where}: {message}" if where else message


def _reject(source: FilesSource, written: bytes, origin: str, reason: str, detail: str) -> Reject:
    text = written.decode("utf-8", errors="replace")
    return Reject(document_id(source.name, text), source.name, origin, reason, detail, text[:120])
