from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from acclimate.core.corpus import read_corpus, write_parts
from acclimate.core.files import read_jsonl
from acclimate.core.params import CleanParams
from acclimate.core.records import document_schema
from acclimate.data import clean

PARAMS = CleanParams(min_words=3, max_words=100, min_quality=0.5)
TEXT = "Return the indices that would sort an array."


def _record(text: str, **changes: Any) -> dict[str, Any]:
    record = dict.fromkeys(document_schema().names)
    record |= {"id": "x", "text": text, "source": "own", "type": "raw_text", "language": "en"}
    return record | {"domain": "documents", "group": "x"} | changes


def _pair(question: str, answer: str, context: str | None = None) -> dict[str, Any]:
    return _record("as it came", type="qa_pair", question=question, answer=answer, context=context)


def _run(records: list[dict[str, Any]], folder: Path) -> clean.CleanReport:
    write_parts(folder / "in", [pa.Table.from_pylist(records, schema=document_schema())])
    (folder / "out").mkdir()
    return clean.run(PARAMS, documents=folder / "in", out=folder / "out")


def test_a_cleaned_record_keeps_its_id_and_gets_a_score(tmp_path: Path) -> None:
    report = _run([_record(f"{TEXT}\u200b  \r\n")], tmp_path)
    [record] = read_corpus(tmp_path / "out" / "documents").to_pylist()
    assert (record["id"], record["text"], record["quality_score"]) == ("x", TEXT, 1.0)
    assert report.changed == 1
    assert report.headline() == "1 texts changed: 1 in, 1 out"


def test_a_pairs_text_is_made_anew_from_its_cleaned_parts() -> None:
    record = clean.clean_record(_pair("What does it do? ", "It sorts\u200b.", "The array.\n"))
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
    ],
)
def test_a_rejected_record_carries_its_reason(tmp_path: Path, record: dict[str, Any], reason: str) -> None:
    report = _run([record, _record(TEXT)], tmp_path)
    [rejected] = read_jsonl(tmp_path / "out" / "rejected.jsonl")
    assert (rejected["reason"], rejected["origin"]) == (reason, "clean")
    assert rejected["detail"]
    assert report.funnel.rejected == {reason: 1}
    assert report.funnel.records_out == 1


def test_a_score_given_by_a_person_stands(tmp_path: Path) -> None:
    _run([_record(TEXT, quality_score=0.7)], tmp_path)
    assert read_corpus(tmp_path / "out" / "documents")["quality_score"].to_pylist() == [0.7]


def test_the_report_counts_scores_by_tenth_and_failed_rules(tmp_path: Path) -> None:
    records = [_record(TEXT), _record(TEXT, quality_score=0.3), _record("1 2 3 4 1 2 3 4")]
    report = _run(records, tmp_path)
    assert {tenth: count for tenth, count in report.quality.items() if count} == {"0.3": 1, "0.4": 1, "1.0": 1}
    assert list(report.quality) == [f"{tenth / 10:.1f}" for tenth in range(11)]
    assert report.failed_rules == {"alphabetic_words": 1, "frequent_ngram": 1, "mean_word_length": 1}


def test_equal_runs_give_equal_bytes(tmp_path: Path) -> None:
    outputs = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        _run([_record(TEXT), _record("Too short.")], tmp_path / name)
        folder = tmp_path / name / "out"
        outputs.append([path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()])
    assert outputs[0] == outputs[1]
