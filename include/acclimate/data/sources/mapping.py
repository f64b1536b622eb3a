"""A record of a source's own making as a document of the data contract, or as the reason why it is none.

Without a mapping a record's fields are called as in a document, and JSON's types are held to. With one, or from
a format without types, values are converted where that is safe: 7 is "7" in a text, "0.9" is a quality score.
"""

from __future__ import annotations

import json
import math
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from acclimate.core.params import Reading
from acclimate.core.records import Document, DocumentType, Reject, document_id, pair_text
from acclimate.data.sources.content import MB, Content, Fault, Raw

Text = Annotated[str, Field(pattern=r"\S")]
_TEXTS = ("text", "question", "answer")
_REASONS = {
    "model_type": "not a JSON object",
    "extra_forbidden": "unknown field",
    "string_unicode": "not Unicode",
    "value_error": "neither text nor question and answer",
}
_OTHER_REASON = "field of the wrong type or value"


def _day(value: Any) -> Any:
    """The day of an ISO 8601 date or date-time; anything else as it is, to be refused."""
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value).date()
        except ValueError:
            return value
    return value.date() if isinstance(value, datetime) else value


class Line(BaseModel):
    """What a record may say. Source and domain come from params.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    text: Text | None = None
    question: Text | None = None
    answer: Text | None = None
    context: str | None = None
    id: Text | None = None
    type: DocumentType | None = None
    created_date: Annotated[date | None, BeforeValidator(_day)] = None
    quality_score: Annotated[float, Field(ge=0, le=1)] | None = None
    language: Annotated[str, Field(min_length=2)] = "en"
    licence: str | None = None
    group: Text | None = None
    difficulty: str | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Line:
        if (self.question is None) != (self.answer is None):
            raise ValueError("a question needs an answer, and an answer a question")
        if self.question is None and self.text is None:
            raise ValueError("a record needs text, or question and answer")
        if self.question is None and self.type == "qa_pair":
            raise ValueError("a qa_pair needs question and answer")
        return self


def to_document(raw: Raw, content: Content, source: Reading, *, typed: bool, whole_text: bool) -> Document | Fault:
    """The record as a document of the source.

    Args:
        raw: as it stands in the file.
        content: the file.
        source: with the mapping and the constants.
        typed: whether values say what they are, as JSON's do.
        whole_text: whether the record is a whole file's text: then nothing but its text is taken unasked.
    """
    given = raw.value
    if source.fields is not None:
        given = _mapped(raw, content, source)
    elif whole_text:
        given = {"text": raw.value["text"]}
    if source.fields is not None or not typed:
        given = {name: _converted(name, value) for name, value in given.items()}
        given = {name: value for name, value in given.items() if value is not None}
    if isinstance(given, dict):
        given = {**source.constants.model_dump(exclude_none=True), **given}
    try:
        line = Line.model_validate(given)
    except ValidationError as faults:
        first = faults.errors(include_url=False, include_input=False)[0]
        return Fault(raw.where, _reason(first), _detail(first), excerpt(raw.value))
    if too_large := _too_large(line, content):
        return Fault(raw.where, "record too large", too_large, excerpt(raw.value))
    return _document(line, source)


def _mapped(raw: Raw, content: Content, source: Reading) -> dict[str, Any]:
    """Each field with what its first path finds, or, of several paths, what they find one below the other."""
    assert source.fields is not None
    given: dict[str, Any] = {}
    for name, paths in source.fields.paths().items():
        found = [value for path in paths if (value := _find(raw, content, path)) is not None]
        if len(paths) > 1:
            texts = [_converted("text", value) for value in found]
            given[name] = "\n\n".join(text for text in texts if isinstance(text, str) and text.strip())
        elif found:
            given[name] = found[0]
    return given


def _find(raw: Raw, content: Content, path: str) -> Any:
    """What `path` leads to in a record; None where it leads nowhere.

    '$path' is the file's own path and '$stem' its name without suffixes; '../' goes to the enclosing object.
    """
    if path == "$path":
        return content.origin.partition("/")[2]
    if path == "$stem":
        return content.name.rpartition("/")[2].partition(".")[0]
    value, parents = raw.value, raw.parents
    if isinstance(value, dict) and path in value:
        return value[path]
    while path.startswith("../"):
        if not parents:
            return None
        path, value, parents = path[3:], parents[-1], parents[:-1]
    for part in path.split("."):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def _converted(name: str, value: Any) -> Any:
    """`value` as the field `name` wants it, where that is safe; an empty optional field is none at all."""
    if isinstance(value, list) and value and all(isinstance(part, str) for part in value):
        value = "\n".join(value)
    if isinstance(value, str) and not value.strip() and name not in _TEXTS:
        return None
    if name == "quality_score":
        return _score(value)
    if name == "created_date":
        return _day(value)
    if isinstance(value, float) and math.isnan(value):  # how tables say that a cell is empty
        return None
    return str(value) if isinstance(value, int | float | date) else value


def _score(value: Any) -> Any:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return value


def _reason(fault: Any) -> str:
    if fault["type"] == "string_pattern_mismatch":
        return f"empty {fault['loc'][0]}"
    return _REASONS.get(fault["type"], _OTHER_REASON)


def _detail(fault: Any) -> str:
    where = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "string_pattern_mismatch":
        return f"{where} has nothing but white space"
    message = " ".join(str(fault["msg"]).split()).removeprefix("Value error, ")
    return f"{where}: {message}" if where else message


def _too_large(line: Line, content: Content) -> str:
    size = sum(len((getattr(line, name) or "").encode()) for name in (*_TEXTS, "context"))
    most = content.limits.max_record_mb
    return f"{size / MB:.3g} MB, at most {most:g} (ingest.limits.max_record_mb)" if size > most * MB else ""


def _document(line: Line, source: Reading) -> Document:
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


def excerpt(value: Any) -> str:
    """The start of a record that is rejected, as one would look for it in its file."""
    return json.dumps(value, ensure_ascii=False, default=str)[:120]


def located(origin: str, where: str) -> str:
    """Where a record stands; half a character, which a name or a JSON key can hold, is written as its escape."""
    return f"{origin}{where}".encode("utf-8", errors="backslashreplace").decode()


def reject(fault: Fault, origin: str, source: str) -> Reject:
    """A Fault as a record of rejected.jsonl."""
    where = located(origin, fault.where)
    # JSON can spell half a character, which no UTF-8 file can hold.
    detail, start = (text.encode("utf-8", errors="replace").decode() for text in (fault.detail, fault.excerpt))
    return Reject(document_id(source, f"{where} {start}"), source, where, fault.reason, detail, start)
