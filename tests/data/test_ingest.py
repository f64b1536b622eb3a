import json
from pathlib import Path
from typing import Any

import pytest

from acclimate.core.corpus import read_corpus
from acclimate.core.errors import UserError
from acclimate.core.files import read_jsonl
from acclimate.core.params import IngestParams
from acclimate.core.records import document_schema
from acclimate.data import ingest


def _params() -> IngestParams:
    sources = [
        {"kind": "files", "name": name, "domain": domain, "path": f"inputs/{name}.jsonl", "licence": "CC0-1.0"}
        for name, domain in (("own", "documents"), ("common", "general"), ("unread", "elsewhere"))
    ]
    return IngestParams.model_validate({"domain": "documents", "sources": sources})


def _inputs(folder: Path, own: list[Any], common: list[Any]) -> Path:
    inputs = folder / "inputs"
    inputs.mkdir()
    (inputs / "own.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in own))
    (inputs / "common.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in common))
    return inputs


def _run(inputs: Path, out: Path) -> ingest.IngestReport:
    out.mkdir()
    return ingest.run(_params(), inputs=inputs, out=out)


def test_the_selected_sources_are_written_in_order_and_counted(tmp_path: Path) -> None:
    pair = {"question": "When?", "answer": "Now."}
    inputs = _inputs(tmp_path, [{"text": "The valve closes."}, pair], [{"text": "Water is wet."}])
    report = _run(inputs, tmp_path / "out")
    table = read_corpus(tmp_path / "out" / "documents")
    assert table.schema == document_schema()
    assert table["text"].to_pylist() == ["The valve closes.", "Question: When?\nAnswer: Now.", "Water is wet."]
    assert [(s.name, s.domain, s.documents, s.pairs, s.bytes, s.rejected) for s in report.sources] == [
        ("own", "documents", 1, 1, 45, 0),
        ("common", "general", 1, 0, 13, 0),
    ]
    assert report.headline() == "0.0 MB from 2 sources: 3 in, 3 out"


def test_a_text_that_a_source_repeats_is_kept_once_and_the_rest_rejected(tmp_path: Path) -> None:
    inputs = _inputs(tmp_path, [{"text": "Same."}, {"text": "Same."}], [{"text": "Same."}])
    report = _run(inputs, tmp_path / "out")
    assert report.funnel.rejected == {"same text from the same source": 1}
    assert report.funnel.records_out == 2


def test_an_id_given_to_two_texts_names_the_first(tmp_path: Path) -> None:
    inputs = _inputs(tmp_path, [{"id": "7", "text": "One."}], [{"id": "7", "text": "Two."}, {"text": "Three."}])
    report = _run(inputs, tmp_path / "out")
    [rejected] = read_jsonl(tmp_path / "out" / "rejected.jsonl")
    assert (rejected["reason"], rejected["source"], rejected["excerpt"]) == ("id given to two texts", "common", "Two.")
    assert report.sources[1].rejected == 1


def test_rejected_lines_are_listed_and_counted(tmp_path: Path) -> None:
    inputs = _inputs(tmp_path, [{"text": "Good."}, {"txt": "Bad."}, 7], [{"text": "General."}])
    report = _run(inputs, tmp_path / "out")
    assert report.funnel.rejected == {"not a JSON object": 1, "unknown field": 1}
    origins = [row["origin"] for row in read_jsonl(tmp_path / "out" / "rejected.jsonl")]
    assert origins == ["inputs/own.jsonl:2", "inputs/own.jsonl:3"]


def test_a_source_without_a_usable_record_is_a_fault_of_the_user_and_says_which_line(tmp_path: Path) -> None:
    inputs = _inputs(tmp_path, [{"txt": "Bad."}], [{"text": "General."}])
    with pytest.raises(
        UserError, match=r"'own' holds no usable record: unknown field 1; the first is inputs/own\.jsonl:1"
    ):
        _run(inputs, tmp_path / "out")


def test_an_empty_file_is_an_empty_corpus(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'common' holds no usable record: nothing"):
        _run(_inputs(tmp_path, [{"text": "Good."}], []), tmp_path / "out")


def test_equal_inputs_give_equal_bytes(tmp_path: Path) -> None:
    inputs = _inputs(tmp_path, [{"text": "Good."}, {"txt": "Bad."}], [{"text": "General."}])
    reports = [_run(inputs, tmp_path / name) for name in ("first", "second")]
    assert reports[0] == reports[1]
    for name in ("documents/part-00000.parquet", "rejected.jsonl"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
