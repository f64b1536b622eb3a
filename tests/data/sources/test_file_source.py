"""The default of `files`: JSONL whose fields are called as in a document."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.core.errors import UserError
from acclimate.core.params import FilesSource, IngestLimits
from acclimate.core.records import Document, Reject, document_id
from acclimate.data.sources.file_source import Located, Opened, read_file, read_files

LIMITS = IngestLimits(max_file_mb=10, max_whole_mb=1, max_record_mb=1, max_expansion=200, max_members=10)


def _source(path: str = "inputs/*.jsonl") -> FilesSource:
    return FilesSource(kind="files", name="own", domain="documents", path=path, licence="CC0-1.0")


def _read_all(inputs: Path, source: FilesSource | None = None) -> list[Document | Reject]:
    source = source or _source()
    found = read_files(source, source.pattern, inputs, LIMITS)
    return [
        record.document if isinstance(record, Located) else record for record in found if not isinstance(record, Opened)
    ]


def _read(inputs: Path, content: bytes) -> list[Document | Reject]:
    inputs.mkdir(exist_ok=True)
    (inputs / "a.jsonl").write_bytes(content)
    return _read_all(inputs)


def test_a_text_is_a_document_named_by_its_content(tmp_path: Path) -> None:
    [document] = _read(tmp_path / "inputs", b'{"text": "The valve closes."}\n')
    identity = document_id("own", "The valve closes.")
    assert document == Document(
        id=identity,
        text="The valve closes.",
        source="own",
        type="raw_text",
        licence="CC0-1.0",
        domain="documents",
        group=identity,
    )


def test_a_question_with_its_answer_and_context_is_a_pair(tmp_path: Path) -> None:
    [pair] = _read(tmp_path / "inputs", b'{"question": "When?", "answer": "At 4 bar.", "context": "The valve."}')
    assert isinstance(pair, Document)
    assert (pair.type, pair.text) == ("qa_pair", "The valve.\n\nQuestion: When?\nAnswer: At 4 bar.")


def test_optional_fields_are_kept(tmp_path: Path) -> None:
    given = {"id": "v7", "created_date": "2026-03-01", "quality_score": 1, "group": "valves", "difficulty": "easy"}
    [document] = _read(tmp_path / "inputs", json.dumps({"text": "The valve closes."} | given).encode())
    assert isinstance(document, Document)
    assert (document.id, document.created_date, document.group) == ("v7", date(2026, 3, 1), "valves")
    assert (document.quality_score, document.difficulty) == (1.0, "easy")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"text": "cut off', "not JSON"),
        (b"plain words", "not JSON"),
        (b'["a list"]', "not a JSON object"),
        (b'"a string"', "not a JSON object"),
        (b'{"text": "x", "tags": []}', "unknown field"),
        (b'{"text": "x", "domain": "elsewhere"}', "unknown field"),
        (b'{"text": 7}', "field of the wrong type or value"),
        (b'{"text": "x", "quality_score": 2}', "field of the wrong type or value"),
        (b'{"text": "x", "created_date": "soon"}', "field of the wrong type or value"),
        (b'{"text": "x", "type": "poem"}', "field of the wrong type or value"),
        (b'{"text": "  \\n"}', "empty text"),
        (b"{}", "neither text nor question and answer"),
        (b'{"question": "When?"}', "neither text nor question and answer"),
        (b'{"text": "x", "type": "qa_pair"}', "neither text nor question and answer"),
        ('{"text": "Grüße"}'.encode("latin-1"), "not UTF-8"),
        (b'{"text": "\\ud800"}', "not Unicode"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_a_line_that_is_no_document_is_rejected_with_file_line_and_reason(
    tmp_path: Path, line: bytes, reason: str
) -> None:
    good = b'{"text": "The valve closes."}'
    first, rejected, last = _read(tmp_path / "inputs", good + b"\n" + line + b"\n" + good)
    assert isinstance(rejected, Reject)
    assert (rejected.origin, rejected.reason) == ("inputs/a.jsonl:2", reason)
    assert rejected.detail
    assert isinstance(first, Document)
    assert isinstance(last, Document)


def test_empty_lines_and_a_byte_order_mark_are_passed_over(tmp_path: Path) -> None:
    [document] = _read(tmp_path / "inputs", b'\xef\xbb\xbf{"text": "The valve closes."}\r\n\r\n  \n')
    assert isinstance(document, Document)


def test_files_are_read_in_order_of_name(tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"text": name}))
    texts = [record.text for record in _read_all(tmp_path) if isinstance(record, Document)]
    assert texts == ["a", "b", "c"]


def test_a_record_is_located_by_file_and_line_and_its_file_is_opened_first(tmp_path: Path) -> None:
    (tmp_path / "inputs").mkdir()
    (tmp_path / "inputs" / "a.jsonl").write_bytes(b'{"text": "One."}\n\n{"text": "Two."}\n')
    found = read_files(_source(), _source().pattern, tmp_path / "inputs", LIMITS)
    assert [record.origin for record in found] == ["inputs/a.jsonl", "inputs/a.jsonl:1", "inputs/a.jsonl:3"]


def test_a_path_that_matches_no_file_is_a_fault_of_the_user(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no file matches inputs/\*\.jsonl"):
        _read_all(tmp_path)


def test_a_path_that_leaves_inputs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="leads out of inputs/"):
        _read_all(tmp_path, _source("inputs/../secret.jsonl"))


def test_a_path_that_is_no_pattern_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"reads inputs/a\*\*b: Invalid pattern"):
        _read_all(tmp_path, _source("inputs/a**b"))


SUFFIXES = ("jsonl", "json", "csv", "tsv", "parquet", "txt", "html", "xml", "pdf", "zip", "tar", "jsonl.gz", "tar.zst")
STARTS = (
    b"",
    b"PAR1",
    b"%PDF-1.4\n",
    b"PK\x03\x04",
    b"\x1f\x8b\x08\x00",
    b"\x28\xb5\x2f\xfd",
    b"<r>",
    b'{"text": "',
    b"\xff\xfe",
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(SUFFIXES), st.sampled_from(STARTS), st.binary(max_size=300))
def test_whatever_a_file_holds_it_is_read_or_rejected_with_a_reason(suffix: str, start: bytes, rest: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, f"x.{suffix}")
        path.write_bytes(start + rest)
        for record in read_file(_source(), path, "inputs/x", LIMITS):
            if isinstance(record, Reject):
                assert record.reason
                assert folder not in record.detail, "a report holds no path of this machine"
