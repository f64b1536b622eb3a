"""CSV, TSV and Parquet: a row is a record by column name, and a broken row costs itself."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Callable
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from acclimate.core.records import Document, Reject

Read = Callable[..., tuple[list[Document], list[Reject]]]


def _parquet(**columns: Any) -> bytes:
    made = io.BytesIO()
    pq.write_table(pa.table(columns), made)
    return made.getvalue()


def test_columns_called_as_in_a_document_need_no_mapping_and_empty_cells_are_none(read: Read) -> None:
    content = b'text,quality_score,created_date,group\n"One, two\nthree",0.5,2026-03-01,g\nFour.,,,\n'
    documents, rejects = read({"a.csv": content})
    assert [(d.text, d.quality_score, d.created_date) for d in documents] == [
        ("One, two\nthree", 0.5, date(2026, 3, 1)),
        ("Four.", None, None),
    ]
    assert rejects == []


@pytest.mark.parametrize(("name", "given"), [("a.tsv", {}), ("a.csv", {"delimiter": "\t"})])
def test_columns_of_other_names_are_mapped(read: Read, name: str, given: dict[str, str]) -> None:
    [document], _ = read({name: b"n\tbody\tclass\n1\tA lease.\tYes\n"}, fields={"text": "body", "id": "n"}, **given)
    assert (document.id, document.text) == ("1", "A lease.")


def test_a_ragged_row_is_rejected_with_the_line_it_begins_on(read: Read) -> None:
    documents, rejects = read({"a.csv": b'text,group\n"One\ntwo",g\nthree\nfour,g,h\nfive,g\n'})
    assert [(r.origin, r.reason, r.detail) for r in rejects] == [
        ("inputs/a.csv:4", "ragged row", "1 fields, 2 columns"),
        ("inputs/a.csv:5", "ragged row", "3 fields, 2 columns"),
    ]
    assert [document.text for document in documents] == ["One\ntwo", "five"]


def test_a_wrong_byte_costs_its_row(read: Read) -> None:
    documents, [rejected] = read({"a.csv": b"text\nGood.\nGr\xfc\xdfe\nBetter.\n"})
    assert (rejected.origin, rejected.reason, rejected.detail) == (
        "inputs/a.csv:3",
        "not UTF-8",
        "character 2 of 'text' is no UTF-8",
    )
    assert len(documents) == 2


def test_two_columns_of_one_name_are_refused(read: Read) -> None:
    _, [rejected] = read({"a.csv": b"text,text\na,b\n"})
    assert (rejected.reason, rejected.detail) == ("duplicate column", "'text' in the first row")


@pytest.mark.parametrize("rest", [b'"never closed\n' + b"x\n" * 10, b'"closed" too early\n'])
def test_a_file_is_read_up_to_where_its_quoting_breaks(read: Read, rest: bytes) -> None:
    documents, [rejected] = read({"a.csv": b"text\nGood.\n" + rest})
    assert rejected.reason == "broken csv"
    assert [document.text for document in documents] == ["Good."]


@pytest.mark.parametrize(
    "rest",
    [b'"' + b"x" * 20_000 + b'"', b"x" * 20_000, b'"' + b"x\n" * 10_000, b'"' + b"x" * 6_000 + b"\n" + b"x" * 6_000],
)
def test_a_file_is_read_up_to_a_row_that_is_too_large(read: Read, rest: bytes) -> None:
    documents, [rejected] = read({"a.csv": b"text\nGood.\n" + b"x" * 6_000 + b"\n" + rest})
    assert rejected.reason == "record too large"
    assert rejected.detail.endswith(": a row over 0.01 MB (ingest.limits.max_record_mb)")
    assert [len(document.text) for document in documents] == [5, 6_000]


def test_a_line_without_end_is_not_held_in_memory(read: Read) -> None:
    content = b"text\n" + b"a," * 5_000_000
    tracemalloc.start()
    try:
        _, [rejected] = read({"a.csv": content})
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert rejected.reason == "record too large"
    assert peak < 5_000_000


@pytest.mark.timeout(10)
def test_very_many_columns_are_told_apart_at_once(read: Read) -> None:
    names = ",".join(f"c{number}" for number in range(40_000)).encode()
    _, [rejected] = read({"a.csv": names + b",c39999\n"}, max_record_mb=1)
    assert (rejected.reason, rejected.detail) == ("duplicate column", "'c39999' in the first row")


def test_parquet_rows_are_mapped_by_column_and_struct_field(read: Read) -> None:
    content = _parquet(body=["One.", "Two.", None], about=[{"day": date(2026, 3, 1)}, {"day": None}, None], n=[1, 2, 3])
    documents, [rejected] = read(
        {"a.parquet": content}, fields={"text": "body", "created_date": "about.day", "id": "n"}
    )
    assert [(d.id, d.text, d.created_date) for d in documents] == [("1", "One.", date(2026, 3, 1)), ("2", "Two.", None)]
    assert rejected.origin == "inputs/a.parquet:row 3"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"PAR1 no parquet PAR1", "damaged file"),
        (b"", "damaged file"),
        (_parquet(text=["One."] * 1000)[:-40], "damaged file"),
        (_parquet(text=[b"\xff\xfe"]), "field of the wrong type or value"),
    ],
)
def test_a_broken_parquet_file_is_one_reject(read: Read, content: bytes, reason: str) -> None:
    documents, [rejected] = read({"a.parquet": content, "b.txt": b"Plain words."})
    assert rejected.reason == reason
    assert len(documents) == 1


def test_parquet_may_not_unpack_to_more_than_a_file_may(read: Read) -> None:
    content = _parquet(text=["words " * 1_000] * 3_000)
    assert len(content) < 10_000
    _, rejects = read({"a.parquet": content}, max_file_mb=1)
    assert rejects[-1].reason == "file too large"
    _, rejects = read({"a.parquet": content})
    assert rejects[-1].reason == "decompression bomb"


FAR = pa.array([0, 10**18], pa.timestamp("us"))
"""The second is in the year 33658."""


def test_a_time_beyond_pythons_years_costs_nothing_where_it_is_not_read(read: Read) -> None:
    documents, rejects = read({"a.parquet": _parquet(text=["One.", "Two."], at=FAR)}, fields={"text": "text"})
    assert [document.text for document in documents] == ["One.", "Two."]
    assert rejects == []


def test_a_time_beyond_pythons_years_costs_its_row_where_it_is_read(read: Read) -> None:
    [document], [rejected] = read({"a.parquet": _parquet(text=["One.", "Two."], created_date=FAR)})
    assert document.created_date == date(1970, 1, 1)
    assert (rejected.origin, rejected.detail.partition(":")[0]) == ("inputs/a.parquet:row 2", "created_date")


def test_a_duration_that_python_cannot_hold_is_a_damaged_file(read: Read) -> None:
    longest = pa.array([2**62], pa.duration("s"))
    _, [rejected] = read({"a.parquet": _parquet(text=["One."], took=longest)})
    assert rejected.reason == "damaged file"
