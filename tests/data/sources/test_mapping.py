"""A source's fields as those of a document."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from acclimate.core.records import Document, Reject

Read = Callable[..., tuple[list[Document], list[Reject]]]


def _read_one(read: Read, record: Any, **given: Any) -> Document | Reject:
    documents, rejects = read({"a/b.x.jsonl": json.dumps(record).encode()}, **given)
    found: list[Document | Reject] = [*documents, *rejects]
    [only] = found
    return only


def test_what_is_not_mapped_is_not_read(read: Read) -> None:
    document = _read_one(read, {"body": "One.", "licence": "secret", "n": 1}, fields={"text": "body"})
    assert isinstance(document, Document)
    assert (document.text, document.licence) == ("One.", "CC0-1.0")


def test_several_paths_are_joined_by_an_empty_line_those_without_a_value_left_out(read: Read) -> None:
    record = {"a": {"title": "T"}, "parts": ["one", "two"], "none": None, "blank": " "}
    document = _read_one(
        read, record, fields={"text": ["a.title", "none", "blank", "parts", "missing", "parts.\u00b2", "parts.1"]}
    )
    assert isinstance(document, Document)
    assert document.text == "T\n\none\ntwo\n\ntwo"


def test_a_key_with_a_dot_is_a_key_first(read: Read) -> None:
    document = _read_one(read, {"a.b": "One.", "a": {"b": "Two."}}, fields={"text": "a.b"})
    assert isinstance(document, Document)
    assert document.text == "One."


def test_constants_stand_where_a_record_says_nothing(read: Read) -> None:
    given = {
        "fields": {"context": "clause", "answer": "label", "difficulty": "hard"},
        "constants": {"question": "Which clause is this?", "difficulty": "easy", "language": "de"},
    }
    plain = _read_one(read, {"clause": "A lease.", "label": "Lease", "hard": ""}, **given)
    other = _read_one(read, {"clause": "A loan.", "label": "Loan", "hard": "very"}, **given)
    assert isinstance(plain, Document)
    assert isinstance(other, Document)
    assert (plain.question, plain.difficulty, plain.language) == ("Which clause is this?", "easy", "de")
    assert other.difficulty == "very"


def test_a_file_s_path_and_name_can_be_mapped(read: Read) -> None:
    document = _read_one(read, {"body": "One."}, fields={"text": "body", "group": "$path", "id": "$stem"})
    assert isinstance(document, Document)
    assert (document.group, document.id) == ("a/b.x.jsonl", "b")


def test_values_are_converted_where_that_is_safe(read: Read) -> None:
    record = {"body": 7, "day": "2026-03-01T10:00:00.000Z", "score": "0.5", "id": 12}
    mapping = {"text": "body", "created_date": "day", "quality_score": "score", "id": "id"}
    document = _read_one(read, record, fields=mapping)
    assert isinstance(document, Document)
    assert (document.text, document.id, document.created_date) == ("7", "12", date(2026, 3, 1))
    assert document.quality_score == 0.5


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"body": {"deep": 1}}, "field of the wrong type or value"),
        ({"body": "One.", "day": "01/03/2026"}, "field of the wrong type or value"),
        ({"body": "One.", "score": "high"}, "field of the wrong type or value"),
        ({"body": "One.", "score": "nan"}, "field of the wrong type or value"),
        ({"body": ""}, "empty text"),
        ({"body": None}, "neither text nor question and answer"),
        ([1], "neither text nor question and answer"),
    ],
)
def test_what_cannot_be_mapped_is_rejected(read: Read, record: Any, reason: str) -> None:
    mapping = {"text": "body", "created_date": "day", "quality_score": "score"}
    rejected = _read_one(read, record, fields=mapping)
    assert isinstance(rejected, Reject)
    assert rejected.reason == reason
    assert rejected.excerpt == json.dumps(record)


def test_half_a_character_in_a_reject_can_be_written(read: Read) -> None:
    rejected = _read_one(read, {"text": "\ud800", "\udfff": 1})
    assert isinstance(rejected, Reject)
    assert rejected.excerpt.encode()
    assert rejected.detail.encode()


def test_a_record_that_is_too_large_is_rejected_whatever_its_format(read: Read) -> None:
    fields = {"text": ["a", "b"]}
    _, [rejected] = read({"a.json": json.dumps([{"a": "x" * 9_000, "b": "x" * 9_000}]).encode()}, fields=fields)
    assert (rejected.reason, rejected.detail) == (
        "record too large",
        "0.018 MB, at most 0.01 (ingest.limits.max_record_mb)",
    )


def test_a_number_beyond_a_float_is_no_score(read: Read) -> None:
    rejected = _read_one(read, {"body": "One.", "score": 10**400}, fields={"text": "body", "quality_score": "score"})
    assert isinstance(rejected, Reject)
    assert rejected.detail.startswith("quality_score: ")


@pytest.mark.parametrize("name", ["group", "id"])
def test_a_blank_group_or_id_is_rejected_because_no_evaluation_example_could_carry_it(read: Read, name: str) -> None:
    rejected = _read_one(read, {"question": "Why?", "answer": "Wear.", name: " "})
    assert isinstance(rejected, Reject)
    assert (rejected.reason, rejected.detail) == (f"empty {name}", f"{name} has nothing but white space")
