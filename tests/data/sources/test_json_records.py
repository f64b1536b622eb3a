"""JSON and JSONL: records wherever they stand, and no value that two parsers read differently."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.core.params import IngestLimits, Reading
from acclimate.core.records import Document, Reject
from acclimate.data.sources.content import UnreadableError
from acclimate.data.sources.file_source import read_files
from acclimate.data.sources.json_records import parse

Read = Callable[..., tuple[list[Document], list[Reject]]]


@pytest.mark.parametrize(
    ("value", "records"),
    [
        ([{"text": "One."}, {"text": "Two."}], None),
        ({"a": {"text": "One."}, "b": {"text": "Two."}}, None),
        ({"rows": [{"text": "One."}, {"text": "Two."}]}, "rows"),
        ({"x": [{"y": [{"text": "One."}]}, {"y": [{"text": "Two."}]}]}, "x.y"),
        ({"x": [[], [{"text": "One."}, {"text": "Two."}]]}, "x.1"),
    ],
)
def test_records_are_found_in_lists_objects_and_below(read: Read, value: Any, records: str | None) -> None:
    documents, rejects = read({"a.json": json.dumps(value).encode()}, records=records)
    assert [document.text for document in documents] == ["One.", "Two."]
    assert rejects == []


def test_a_single_object_is_one_record(read: Read) -> None:
    documents, _ = read({"a.json": b'{"text": "One."}'})
    assert [document.text for document in documents] == ["One."]


def test_a_record_can_take_fields_of_what_encloses_it(read: Read) -> None:
    squad = {"data": [{"title": "Valves", "paragraphs": [{"context": "At 4 bar.", "qas": [{"q": "When?", "a": "4"}]}]}]}
    [document], _ = read(
        {"a.json": json.dumps(squad).encode()},
        records="data.paragraphs.qas",
        fields={"question": "q", "answer": "a", "context": "../context", "group": "../../title", "id": "../../../none"},
    )
    assert (document.context, document.group, document.question) == ("At 4 bar.", "Valves", "When?")


def test_a_reject_names_the_place_in_the_file(read: Read) -> None:
    _, rejects = read({"a.json": b'{"rows": [{"text": "One."}, {"txt": "Two."}, 3]}'}, records="rows")
    assert [(rejected.origin, rejected.reason) for rejected in rejects] == [
        ("inputs/a.json:rows[1]", "unknown field"),
        ("inputs/a.json:rows[2]", "not a JSON object"),
    ]


def test_a_part_that_only_looks_like_a_number_is_a_key(read: Read) -> None:
    _, [rejected] = read({"a.json": b'{"rows": [[{"text": "One."}]]}'}, records="rows.\u00b2")
    assert rejected.detail == "there is no '\u00b2'"


def test_a_path_to_records_that_leads_nowhere_is_told(read: Read) -> None:
    _, [rejected] = read({"a.json": b'{"rows": []}'}, records="lines")
    assert (rejected.reason, rejected.detail) == ("no records where the source says", "there is no 'lines'")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"text": "x", "quality_score": NaN}', "not a number"),
        (b'{"text": "x", "quality_score": -Infinity}', "not a number"),
        (b'{"text": "x", "quality_score": 1e999}', "not a number"),
        (b'{"text": "x", "text": "y"}', "duplicate key"),
        (b'{"text": "x", "a": {"b": 1, "b": 2}}', "duplicate key"),
        (b'{"text": "\\ud800"}', "not Unicode"),
        (b"[" * 5_000, "not JSON"),
        (b'{"text": "x", "a": ' + b"9" * 5_000 + b"}", "not JSON"),
        (b'{"text": "' + b"x" * 20_000 + b'"}', "record too large"),
        (b'{"text": "Gr\xfc\xdfe"}', "not UTF-8"),
    ],
)
def test_a_line_that_is_refused_is_one_reject_and_the_others_count(read: Read, line: bytes, reason: str) -> None:
    good = b'{"text": "The valve closes."}\n'
    documents, [rejected] = read({"a.jsonl": good + line + b"\n" + good.replace(b"closes", b"opens")})
    assert (rejected.origin, rejected.reason) == ("inputs/a.jsonl:2", reason)
    assert rejected.detail
    assert len(documents) == 2


def test_the_position_of_a_wrong_byte_is_named(read: Read) -> None:
    _, [rejected] = read({"a.jsonl": b'{"text": "Gr\xfc\xdfe"}'})
    assert rejected.detail == "byte 12 of the line: invalid start byte"


def test_another_encoding_is_read_if_the_source_says_so(read: Read) -> None:
    documents, _ = read({"a.jsonl": '{"text": "Grüße"}'.encode("latin-1")}, encoding="latin-1")
    assert [document.text for document in documents] == ["Grüße"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf_8_sig"])
@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.txt", "a.csv", "a.xml"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_byte_order_mark_that_the_source_says_may_be_missing(
    read: Read, name: str, encoding: str, mark: bytes
) -> None:
    contents = {"a.txt": "Grüße", "a.csv": "text\nGrüße\n", "a.xml": "<r><text>Grüße</text></r>"}
    content = contents.get(name, '{"text": "Grüße"}')
    documents, rejects = read({name: mark + content.encode()}, encoding=encoding)
    assert [document.text for document in documents] == ["Grüße"]
    assert rejects == []


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.txt"])
def test_a_byte_order_mark_tells_the_encoding(read: Read, name: str, encoding: str) -> None:
    content = "Grüße" if name == "a.txt" else '{"text": "Grüße"}'
    documents, rejects = read({name: content.encode(encoding)})
    assert [document.text for document in documents] == ["Grüße"]
    assert rejects == []


def test_a_file_that_must_be_read_whole_may_not_be_any_size(read: Read) -> None:
    _, [rejected] = read({"a.json": b"[" + b" " * 1_000_000 + b"]"})
    assert (rejected.reason, "max_whole_mb" in rejected.detail) == ("file too large", True)


@pytest.mark.timeout(10)
def test_one_duplicate_among_very_many_keys_is_found_at_once() -> None:
    keys = ",".join(f'"k{number}":1' for number in range(50_000))
    with pytest.raises(UnreadableError, match="'k49999' stands more than once"):
        parse(f'{{{keys},"k49999":2}}')


def test_half_a_character_in_a_key_can_be_written_in_the_origin(tmp_path: Path) -> None:
    (tmp_path / "inputs").mkdir()
    (tmp_path / "inputs" / "a.json").write_bytes(b'{"\\ud800": {"text": "One."}}')
    source = Reading(name="own", domain="documents", licence="CC0-1.0")
    limits = IngestLimits(max_file_mb=1, max_whole_mb=1, max_record_mb=1, max_expansion=9, max_members=9)
    _, record = read_files(source, "*", tmp_path / "inputs", limits)
    assert record.origin == r"inputs/a.json:\ud800"


def test_a_line_without_end_is_not_held_in_memory(read: Read) -> None:
    documents, [rejected] = read({"a.jsonl": b"x" * 5_000_000 + b'\n{"text": "The valve closes."}'})
    assert (rejected.origin, rejected.reason) == ("inputs/a.jsonl:1", "record too large")
    assert len(documents) == 1


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_whatever_is_json_is_read_as_it_was_written(value: Any) -> None:
    assert parse(json.dumps(value)) == value


def _refuse(name: str) -> float:
    raise ValueError(name)


@given(st.text() | st.text('[]{}",:0eE+-.truefalsnNaIity ', max_size=12))
def test_whatever_is_not_json_is_refused_with_a_reason(text: str) -> None:
    try:
        json.loads(text, parse_constant=_refuse)
    except ValueError:
        with pytest.raises(UnreadableError):
            parse(text)
