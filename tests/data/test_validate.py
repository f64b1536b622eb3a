from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from acclimate.core.corpus import read_corpus, write_parts
from acclimate.core.errors import UserError
from acclimate.core.files import read_jsonl
from acclimate.core.params import ValidateParams
from acclimate.core.records import document_schema, pair_text
from acclimate.data import validate

PARAMS: dict[str, Any] = {
    "min_characters": 10,
    "max_characters": 100,
    "languages": ["en"],
    "min_documents": 3,
    "max_quarantined_share": 0.5,
}


def _record(identity: str, **changes: Any) -> dict[str, Any]:
    record = dict.fromkeys(document_schema().names)
    record |= {"id": identity, "text": f"A text called {identity}.", "source": "own", "type": "raw_text"}
    record |= {"language": "en", "domain": "documents", "group": identity}
    return record | changes


def _pair(identity: str, question: str | None, answer: str | None) -> dict[str, Any]:
    text = pair_text(question or "", answer or "")
    return _record(identity, type="qa_pair", text=text, question=question, answer=answer)


GOOD = [_record("a"), _record("b", domain="general"), _pair("c", "When does it close?", "At 4 bar.")]


def _run(records: list[dict[str, Any]], folder: Path, **changes: Any) -> validate.ValidateReport:
    folder.mkdir(parents=True, exist_ok=True)
    write_parts(folder / "in", [pa.Table.from_pylist(records, schema=document_schema())])
    (folder / "out").mkdir()
    params = ValidateParams.model_validate(PARAMS | changes)
    return validate.run(params, documents=folder / "in", out=folder / "out")


def test_good_records_pass_unchanged(tmp_path: Path) -> None:
    report = _run(GOOD, tmp_path)
    assert read_corpus(tmp_path / "out" / "documents").equals(read_corpus(tmp_path / "in"))
    assert (report.funnel.records_in, report.funnel.records_out, report.funnel.rejected) == (3, 3, {})
    assert all(count.failed == 0 for count in report.expectations)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (_record("x", text="short"), "expect_column_value_lengths_to_be_between(text)"),
        (_record("x", text="long" * 100), "expect_column_value_lengths_to_be_between(text)"),
        (_record("x", language="tlh"), "expect_column_values_to_be_in_set(language)"),
        (_record("x", quality_score=1.5), "expect_column_values_to_be_between(quality_score)"),
        (_record("x", type="poem"), "expect_column_values_to_be_in_set(type)"),
        (_record("x", domain=None), "expect_column_values_to_not_be_null(domain)"),
        (_record("x", text=None), "expect_column_values_to_not_be_null(text)"),
        (_pair("x", None, "At 4 bar."), "expect_column_values_to_not_be_null(question)"),
        (_pair("x", "When does it close?", " "), "expect_column_values_to_match_regex(answer)"),
    ],
)
def test_a_record_that_fails_is_quarantined_under_the_expectation(
    tmp_path: Path, bad: dict[str, Any], reason: str
) -> None:
    table = pa.Table.from_pylist([GOOD[0], bad, *GOOD[1:]], schema=_nullable())
    write_parts(tmp_path / "in", [table])
    report = validate.run(ValidateParams.model_validate(PARAMS), documents=tmp_path / "in", out=_made(tmp_path / "out"))
    [rejected] = read_jsonl(tmp_path / "out" / "rejected.jsonl")
    assert (rejected["id"], rejected["origin"], rejected["reason"]) == ("x", "validate", reason)
    assert report.funnel.rejected == {reason: 1}
    assert read_corpus(tmp_path / "out" / "documents")["id"].to_pylist() == ["a", "b", "c"]


def test_records_that_share_an_id_are_all_quarantined_even_across_types(tmp_path: Path) -> None:
    report = _run([*GOOD, _record("same"), _record("same", text="Another text.")], tmp_path)
    assert report.funnel.rejected == {"expect_column_values_to_be_unique(id)": 2}


def test_a_record_that_fails_twice_counts_once_and_tells_both(tmp_path: Path) -> None:
    report = _run([*GOOD, _record("x", text="short", language="tlh")], tmp_path)
    [rejected] = read_jsonl(tmp_path / "out" / "rejected.jsonl")
    assert report.funnel.rejected == {"expect_column_value_lengths_to_be_between(text)": 1}
    assert "expect_column_values_to_be_in_set(language)" in rejected["detail"]
    assert "5 characters" in rejected["detail"]


def test_every_expectation_reports_how_much_it_looked_at(tmp_path: Path) -> None:
    report = _run([*GOOD, _record("x", text="short")], tmp_path)
    counts = {(count.suite, count.expectation): (count.evaluated, count.failed) for count in report.expectations}
    assert counts["records", "expect_column_value_lengths_to_be_between(text)"] == (4, 1)
    assert counts["records", "expect_column_values_to_be_between(quality_score)"] == (0, 0)
    assert counts["documents", "expect_column_values_to_be_in_set(type)"] == (3, 0)
    assert counts["pairs", "expect_column_values_to_not_be_null(answer)"] == (1, 0)
    assert counts["quarantine", "expect_column_values_to_be_in_set(passed)"] == (4, 1)
    assert counts["batch", "expect_table_row_count_to_be_between()"] == (1, 0)
    assert report.quarantined_share == 0.25


def test_a_corpus_without_pairs_is_no_fault(tmp_path: Path) -> None:
    report = _run([_record("a"), _record("b", domain="general"), _record("c")], tmp_path)
    assert report.funnel.records_out == 3


def test_too_few_records_stop_the_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="3 records passed, 4 are needed"):
        _run(GOOD, tmp_path, min_documents=4)


def test_no_records_at_all_stop_the_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="0 records passed, 3 are needed"):
        _run([], tmp_path)


def test_too_many_failures_stop_the_run_and_are_named(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"1 of 4 records failed, more than 20%.*lengths.*the first is x of own: 'short'"
    ):
        _run([*GOOD, _record("x", text="short")], tmp_path, max_quarantined_share=0.2)


@pytest.mark.parametrize("domain", ["documents", "general"])
def test_text_of_one_kind_only_stops_the_run(tmp_path: Path, domain: str) -> None:
    with pytest.raises(UserError, match=f"the records have the domains {domain}:"):
        _run([_record(name, domain=domain) for name in "abc"], tmp_path)


def test_equal_runs_give_equal_bytes_data_docs_included(tmp_path: Path) -> None:
    bad = _record("x", text="short")
    reports = [_run([*GOOD, bad], tmp_path / name) for name in ("first", "second")]
    assert reports[0] == reports[1]
    first, second = (_files(tmp_path / name / "out") for name in ("first", "second"))
    assert first == second
    assert Path("data_docs/index.html") in first


def _files(root: Path) -> dict[Path, bytes]:
    return {path.relative_to(root): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _nullable() -> pa.Schema:
    return pa.schema([field.with_nullable(True) for field in document_schema()])
