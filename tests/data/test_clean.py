from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from acclimate.core.corpus import read_corpus, read_parts, write_parts
from acclimate.core.files import read_jsonl
from acclimate.core.params import CleanParams, CommonParams, ValidateParams
from acclimate.core.records import document_schema
from acclimate.data import clean

PARAMS = CleanParams(
    boilerplate_share=0.1, redact=["email", "ip"], redact_patterns={}, min_words=3, max_words=100, min_quality=0.5
)
VALIDATE = ValidateParams(
    min_characters=1,
    max_characters=10_000,
    languages=["en", "es"],
    min_documents=1,
    max_quarantined_share=1,
    max_volume_drop=1,
    max_null_increase=1,
    max_language_shift=1,
    max_length_shift=1,
)
RULES = clean.Rules(PARAMS, frozenset(VALIDATE.languages), {})
GERMAN = (
    "Die Schlüssel liegen auf dem Tisch und warten darauf, dass jemand sie nimmt. Am Abend kommt der Nachbar, "
    "der den Ofen bedient, und öffnet damit die Werkstatt, in der die Schalen trocknen."
)
SPANISH = (
    "Las llaves están sobre la mesa y esperan a que alguien las recoja. Por la tarde llega el vecino que cuida el "
    "horno y abre con ellas el taller donde se secan los cuencos que hicimos ayer."
)
TEXT = "Return the indices that would sort an array."


def _record(text: str, **changes: Any) -> dict[str, Any]:
    record = dict.fromkeys(document_schema().names)
    record |= {"id": "x", "text": text, "source": "own", "type": "raw_text", "language": "en"}
    return record | {"domain": "documents", "group": "x"} | changes


def _pair(question: str, answer: str, context: str | None = None) -> dict[str, Any]:
    return _record("as it came", type="qa_pair", question=question, answer=answer, context=context)


def _run(records: list[dict[str, Any]], folder: Path, threads: int = 1, parts: int = 1) -> clean.CleanReport:
    tables = [pa.Table.from_pylist(records[part::parts], schema=document_schema()) for part in range(parts)]
    write_parts(folder / "in", tables)
    (folder / "out").mkdir()
    common = CommonParams(seed=0, threads=threads, min_free_disk_mb=0)
    return clean.run(PARAMS, VALIDATE, common, documents=folder / "in", out=folder / "out")


def _written(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted((folder / "out").rglob("*")) if path.is_file()]


def test_a_cleaned_record_keeps_its_id_and_gets_a_score(tmp_path: Path) -> None:
    report = _run([_record(f"{TEXT}\u200b  \r\n")], tmp_path)
    [record] = read_corpus(tmp_path / "out" / "documents").to_pylist()
    assert (record["id"], record["text"], record["quality_score"]) == ("x", TEXT, 1.0)
    assert report.changed == 1
    assert report.headline() == "1 texts changed, 0 spans redacted: 1 in, 1 out"


def test_a_pairs_text_is_made_anew_from_its_cleaned_parts() -> None:
    record = clean.judge(RULES, _pair("What does it do? ", "It sorts\u200b.", "The array.\n")).record
    assert record["text"] == "The array.\n\nQuestion: What does it do?\nAnswer: It sorts."
    assert (record["question"], record["answer"], record["context"]) == ("What does it do?", "It sorts.", "The array.")


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (_record("Too short."), "too few words"),
        (_record(f"{TEXT} " * 20), "too many words"),
        (_record("1 2 3 4 1 2 3 4"), "low quality score"),
        (_record(TEXT, quality_score=0.2), "low quality score"),
        (_record("lorem ipsum dolor sit amet"), "quality rule placeholder"),
        (_record("\n".join(f"value {number} kelvin" for number in range(20))), "quality rule stop_words"),
        (_pair("What does it do?", "\u200b"), "empty question or answer"),
        (_record(GERMAN), "language de"),
    ],
)
def test_a_rejected_record_carries_its_reason(tmp_path: Path, record: dict[str, Any], reason: str) -> None:
    report = _run([record, _record(TEXT)], tmp_path)
    [rejected] = read_jsonl(tmp_path / "out" / "rejected.jsonl")
    assert (rejected["reason"], rejected["origin"]) == (reason, "clean")
    assert rejected["detail"]
    assert report.funnel.rejected == {reason: 1}
    assert report.funnel.records_out == 1


def test_rejections_are_counted_by_source_and_reason(tmp_path: Path) -> None:
    records = [
        *(_record("too short", source="shelf") for _ in range(2)),
        _record(GERMAN, source="shelf"),
        _record("too short", source="attic"),
        _record(TEXT, source="cellar"),
    ]
    report = _run(records, tmp_path)
    assert report.rejected_of == {"attic": {"too few words": 1}, "shelf": {"too few words": 2, "language de": 1}}
    assert sum(sum(reasons.values()) for reasons in report.rejected_of.values()) == 4 == report.funnel.records_in - 1


def test_a_score_given_by_a_person_stands(tmp_path: Path) -> None:
    _run([_record(TEXT, quality_score=0.7)], tmp_path)
    assert read_corpus(tmp_path / "out" / "documents")["quality_score"].to_pylist() == [0.7]


def test_the_report_counts_scores_by_tenth_and_failed_rules(tmp_path: Path) -> None:
    records = [_record(TEXT), _record(TEXT, quality_score=0.3), _record("1 2 3 4 1 2 3 4")]
    report = _run(records, tmp_path)
    assert {tenth: count for tenth, count in report.quality.items() if count} == {"0.3": 1, "0.4": 1, "1.0": 1}
    assert list(report.quality) == [f"{tenth / 10:.1f}" for tenth in range(11)]
    assert report.failed_rules == {"alphabetic_words": 1, "frequent_ngram": 1, "mean_word_length": 1}


def test_an_address_is_redacted_in_every_part_of_a_pair_and_counted(tmp_path: Path) -> None:
    pair = _pair("Who is ann@hill.org?", "She maintains it: ann@hill.org.", "Log: 5.9.61.130:80 wrote it.")
    report = _run([pair, _record(TEXT)], tmp_path)
    [record, _] = read_corpus(tmp_path / "out" / "documents").to_pylist()
    assert record["text"] == "Log: [IP]:80 wrote it.\n\nQuestion: Who is [EMAIL]?\nAnswer: She maintains it: [EMAIL]."
    assert (record["question"], record["context"]) == ("Who is [EMAIL]?", "Log: [IP]:80 wrote it.")
    assert (report.redacted, report.redacted_records) == ({"email": 2, "ip": 1}, 1)


def test_a_rejected_record_is_redacted_too(tmp_path: Path) -> None:
    _run([_record("Ask ann@hill.org")], tmp_path)
    assert read_jsonl(tmp_path / "out" / "rejected.jsonl")[0]["excerpt"] == "Ask [EMAIL]"


def test_html_becomes_text_and_is_counted(tmp_path: Path) -> None:
    report = _run([_record(f"<p>{TEXT}</p><p>It is <code>fast</code>.</p>")], tmp_path)
    assert read_corpus(tmp_path / "out" / "documents")["text"].to_pylist() == [f"{TEXT}\n\nIt is `fast`."]
    assert report.markup == 1


def test_an_identified_language_is_written_into_the_record(tmp_path: Path) -> None:
    report = _run([_record(SPANISH), _record(TEXT)], tmp_path)
    assert read_corpus(tmp_path / "out" / "documents")["language"].to_pylist() == ["es", "en"]
    assert report.languages == {"en": 1, "es": 1}


def test_headers_over_many_documents_and_notices_go_and_are_shown(tmp_path: Path) -> None:
    header = "The weekly of the potters, by ann@hill.org"
    pages = [
        f"{header}\nPage {number} tells of the kiln and of its fire.\nIt ends with {number} bowls that have broken."
        for number in range(25)
    ]
    report = _run([_record(f"{page}\nShare this article") for page in pages], tmp_path, parts=2)
    texts = read_corpus(tmp_path / "out" / "documents")["text"].to_pylist()
    assert len(texts) == 25
    assert all(text.startswith("Page ") and text.endswith("broken.") for text in texts)
    assert report.boilerplate == {"notice": 25, "repeated": 25}
    assert report.repeated_lines == {"own": ["The weekly of the potters, by [EMAIL]"]}


def test_parts_map_one_to_one(tmp_path: Path) -> None:
    _run([_record(TEXT, id=str(number)) for number in range(5)], tmp_path, parts=2)
    assert [table["id"].to_pylist() for table in read_parts(tmp_path / "out" / "documents")] == [
        ["0", "2", "4"],
        ["1", "3"],
    ]


def test_the_number_of_workers_changes_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clean, "_WORTH_WORKERS", 10)
    records = [_record(f"{TEXT} Number {number} of ann@hill.org.", id=str(number)) for number in range(1200)]
    for threads in (1, 2):
        (tmp_path / str(threads)).mkdir()
        _run(records, tmp_path / str(threads), threads)
    assert _written(tmp_path / "1") == _written(tmp_path / "2")


def test_equal_runs_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        _run([_record(TEXT), _record("Too short.")], tmp_path / name)
    assert _written(tmp_path / "first") == _written(tmp_path / "second")
