import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from acclimate.core.corpus import part_paths, read_corpus, write_parts
from acclimate.core.errors import UserError
from acclimate.core.files import read_jsonl, read_parquet
from acclimate.core.params import IngestParams, ValidateParams
from acclimate.core.params.ingest import IngestLimits
from acclimate.core.records import document_schema, pair_text
from acclimate.data import validate
from acclimate.data.validation import row_checks
from acclimate.data.validation.shifts import MEASURES

PARAMS: dict[str, Any] = {
    "min_characters": 10,
    "max_characters": 100,
    "languages": ["en"],
    "min_documents": 3,
    "max_quarantined_share": 0.5,
    "max_volume_drop": 0.5,
    "max_null_increase": 0.1,
    "max_language_shift": 0.1,
    "max_length_shift": 0.2,
}
SOURCES = IngestParams.model_validate(
    {
        "domain": "documents",
        "limits": dict.fromkeys(IngestLimits.model_fields, 1),
        "sources": [
            {"kind": "files", "name": name, "domain": domain, "licence": "MIT", "path": "inputs/*.jsonl"}
            for name, domain in (("own", "documents"), ("other", "general"))
        ],
    }
)


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
    return _run_parts([records], folder, **changes)


def _run_parts(
    parts: Iterable[list[dict[str, Any]]], folder: Path, accepted: Path | None = None, **changes: Any
) -> validate.ValidateReport:
    write_parts(folder / "in", (pa.Table.from_pylist(records, schema=_nullable()) for records in parts))
    (folder / "out").mkdir()
    params = ValidateParams.model_validate(PARAMS | changes)
    return validate.run(params, SOURCES, documents=folder / "in", accepted=accepted or folder, out=folder / "out")


def _accepted(folder: Path, records: list[dict[str, Any]]) -> Path:
    """What accepting a batch of these records leaves."""
    _run(records, folder / "before")
    return folder / "before/out"


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
    report = _run([GOOD[0], bad, *GOOD[1:]], tmp_path)
    [rejected] = read_jsonl(tmp_path / "out" / "rejected.jsonl")
    assert (rejected["id"], rejected["origin"], rejected["reason"]) == ("x", "validate", reason)
    assert report.funnel.rejected == {reason: 1}
    assert read_corpus(tmp_path / "out" / "documents")["id"].to_pylist() == ["a", "b", "c"]


@pytest.mark.parametrize("parts", [1, 2])
def test_records_that_share_an_id_are_all_quarantined_even_across_types_and_parts(tmp_path: Path, parts: int) -> None:
    first, second = [*GOOD, _record("same")], [_pair("same", "When does it open?", "At 2 bar."), _record("d")]
    report = _run_parts([first, second] if parts == 2 else [first + second], tmp_path)
    assert report.funnel.rejected == {"expect_column_values_to_be_between(id_occurrences)": 2}
    assert read_corpus(tmp_path / "out/documents")["id"].to_pylist() == ["a", "b", "c", "d"]


def test_parts_come_out_as_they_came_in_and_untouched_ones_byte_for_byte(tmp_path: Path) -> None:
    _run_parts([GOOD, [_record("x", text="short")], [_record("d")], []], tmp_path)
    before, after = (part_paths(tmp_path / name) for name in ("in", "out/documents"))
    assert [path.name for path in before] == [path.name for path in after]
    assert [read_parquet(path)["id"].to_pylist() for path in after] == [["a", "b", "c"], [], ["d"], []]
    assert after[0].read_bytes() == before[0].read_bytes()


def test_what_is_found_in_several_groups_of_parts_is_added_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [[*GOOD, _record("x", text="short")], [_record("y", text="<b>short")], [_record("d", quality_score=0.5)]]
    together = _run_parts(parts, tmp_path / "together")
    monkeypatch.setattr(row_checks, "PART_CHARACTERS", 1)
    apart = _run_parts(parts, tmp_path / "apart")
    assert together == apart
    files = [_files(tmp_path / name / "out") for name in ("together", "apart")]
    assert files[0] == files[1]
    page = next(text for path, text in files[1].items() if path.name == "records-records.html").decode()
    assert "&lt;b&gt;short" in page
    assert "2 unexpected values found." in re.sub(r"<[^>]*>", "", page)
    assert "of 6 total rows" in re.sub(r"<[^>]*>", "", page)


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
    assert counts["batch", "expect_column_values_to_be_between(quarantined_share)"] == (1, 0)
    assert counts["batch", "expect_column_values_to_be_between(records_passed)"] == (1, 0)
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


def test_everything_that_is_wrong_with_a_batch_is_said_at_once_and_kept(tmp_path: Path) -> None:
    accepted = _accepted(tmp_path, GOOD + [_record(f"r{number}", source="other") for number in range(9)])
    with pytest.raises(UserError) as refused:
        _run_parts([[_record("a"), _record("x", text="short")]], tmp_path / "now", accepted, max_quarantined_share=0.2)
    message = str(refused.value)
    for expected in (
        "the batch fails 5 rules",
        "1 of 2 records failed, more than 20%",
        "1 records passed, 3 are needed",
        "the records have the domains documents: none is general",
        "own: 1 records passed, 3 passed in the accepted batch: volume_drop 0.667, limit 0.500",
        "other: no record, though params.yaml names the source, 9 passed in the accepted batch",
        "mend the source other, or accept the new normal by copying the kept profile.json into accepted/ of the main "
        "checkout, or raise validate.max_volume_drop in params.yaml",
    ):
        assert expected in message
    kept = tmp_path / "now" / validate.REFUSED
    assert sorted(path.name for path in kept.iterdir()) == ["data_docs", "profile.json", "rejected.jsonl"]
    suites = ["batch", "documents", "records"]  # there was no pair
    assert sorted(path.name for path in (kept / "data_docs/validations").iterdir()) == suites
    [page] = (kept / "data_docs/validations/batch").rglob("*.html")
    assert "other: no record, though params.yaml names the source" in page.read_text()


def test_a_batch_that_passes_leaves_nothing_of_the_one_refused_before(tmp_path: Path) -> None:
    with pytest.raises(UserError):
        _run([], tmp_path / "now")
    for folder in ("in", "out"):
        shutil.rmtree(tmp_path / "now" / folder)
    _run(GOOD, tmp_path / "now")
    assert not (tmp_path / "now" / validate.REFUSED).exists()


def test_a_batch_like_the_accepted_one_passes_and_says_what_was_compared(tmp_path: Path) -> None:
    report = _run_parts([GOOD], tmp_path / "now", _accepted(tmp_path, GOOD))
    assert report.comparison is not None
    assert {shift.measure for shift in report.comparison.shifts} == set(MEASURES)
    assert {count.failed for count in report.expectations} == {0}
    assert "compared with the accepted batch in 31 measures" in report.headline()


def test_without_an_accepted_batch_the_report_says_that_nothing_was_compared(tmp_path: Path) -> None:
    report = _run(GOOD, tmp_path)
    assert report.comparison is None
    assert report.headline().endswith("no accepted batch to compare with")


def test_equal_runs_give_equal_bytes_data_docs_included(tmp_path: Path) -> None:
    records = [*GOOD, _record("x", text="short")]
    accepted = _accepted(tmp_path, records)
    reports = [_run_parts([records], tmp_path / name, accepted) for name in ("first", "second")]
    assert reports[0] == reports[1]
    first, second = (_files(tmp_path / name / "out") for name in ("first", "second"))
    assert first == second
    assert Path("data_docs/index.html") in first


_PEAKS = """
import resource, sys
from pathlib import Path
import test_validate as here

for parts in (3, 15):
    here._run_long_parts(Path(sys.argv[1]) / str(parts), parts)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def _run_long_parts(folder: Path, parts: int) -> None:
    """Validate parts of 8 MB, one after the other."""
    row_checks.PART_CHARACTERS = 8_000_000  # type: ignore[attr-defined]
    records = [_record("", text="word " * 8_000, domain="general" if row else "documents") for row in range(200)]
    named = ([record | {"id": f"{part}-{row}"} for row, record in enumerate(records)] for part in range(parts))
    _run_parts(named, folder, max_characters=100_000)


def test_memory_does_not_grow_with_the_number_of_parts(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PEAKS, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        check=True,
        capture_output=True,
        text=True,
    )
    few, many = map(int, done.stdout.split())
    # MB; twelve parts more are 96 MB of text, of which nothing may stay. Allocators go on warming up for some parts.
    assert many - few < 60


def _files(root: Path) -> dict[Path, bytes]:
    return {path.relative_to(root): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def _nullable() -> pa.Schema:
    return pa.schema([field.with_nullable(True) for field in document_schema()])
