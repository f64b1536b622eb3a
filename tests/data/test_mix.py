"""mix: the shares hold, the order is random but fixed, and what is scarce is said."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from acclimate.core.errors import UserError
from acclimate.core.files import read_jsonl
from acclimate.core.params import CommonParams, MixParams
from acclimate.data.mix import MixReport, run

Row = dict[str, Any]
Make = Callable[..., Row]
Write = Callable[[Path, Sequence[Row]], Path]
Mix = Callable[..., MixReport]

PARAMS = MixParams(
    domain_documents=0.4, domain_questions=0.4, general_replay=0.2, kilobytes=20, max_document_characters=200
)


@pytest.fixture
def mix(tmp_path: Path, document: Make, write_documents: Write) -> Mix:
    """mix(documents=…, questions=…, general=…): from so many records of about 300, 100 and 300 bytes."""

    def run_it(
        documents: int = 200, questions: int = 200, general: int = 100, seed: int = 1729, **changes: Any
    ) -> MixReport:
        rows = [document(f"Text {i}. " + "clay and fire " * 20) for i in range(documents)]
        rows += [
            document(f"Question: {i}? {'why ' * 15}\nAnswer: {i}. {'é' * 10}", type="qa_pair") for i in range(questions)
        ]
        replay = [document(f"Note {i}. " + "rain and wind " * 20, domain="general") for i in range(general)]
        (tmp_path / "out").mkdir(exist_ok=True)
        return run(
            PARAMS.model_copy(update=changes),
            CommonParams(seed=seed, threads=1, min_free_disk_mb=0),
            domain=write_documents(tmp_path / "domain.parquet", rows),
            general=write_documents(tmp_path / "general.parquet", replay),
            out=tmp_path / "out",
        )

    return run_it


def _rows(directory: Path) -> list[Row]:
    return read_jsonl(directory / "out/train.jsonl")


def test_shares_are_of_bytes_to_within_a_record(mix: Mix, tmp_path: Path) -> None:
    report = mix()
    for kind, wanted in (("domain_documents", 8000), ("domain_questions", 8000), ("general_replay", 4000)):
        size = sum(len(row["text"].encode()) for row in _rows(tmp_path) if row["kind"] == kind)
        assert wanted - 300 < size <= wanted
        assert report.kinds[kind].bytes == size
    assert report.bytes == sum(kind.bytes for kind in report.kinds.values())
    assert report.notes == []
    assert report.headline() == (
        f"{report.records} records, 20 kB: domain_documents 40 %, domain_questions 40 %, general_replay 20 %"
    )


def test_documents_are_cut_at_a_word_and_questions_are_whole(mix: Mix, tmp_path: Path) -> None:
    mix(max_document_characters=50)
    texts = {kind: [row["text"] for row in _rows(tmp_path) if row["kind"] == kind] for kind in ("domain_documents",)}
    assert {len(text) <= 50 and text.split()[-1] in ("clay", "and", "fire") for text in texts["domain_documents"]} == {
        True
    }
    assert all(row["text"].endswith("é" * 10) for row in _rows(tmp_path) if row["kind"] == "domain_questions")


def test_the_hash_is_that_of_the_file_and_equal_runs_are_equal(mix: Mix, tmp_path: Path) -> None:
    report = mix()
    assert report.dataset_sha256 == hashlib.sha256((tmp_path / "out/train.jsonl").read_bytes()).hexdigest()
    assert mix() == report
    assert mix(seed=1).dataset_sha256 != report.dataset_sha256


def test_the_kinds_are_shuffled_into_each_other(mix: Mix, tmp_path: Path) -> None:
    mix()
    kinds = [row["kind"] for row in _rows(tmp_path)]
    half = len(kinds) // 2
    for kind in set(kinds):
        assert kinds[:half].count(kind) == pytest.approx(kinds.count(kind) / 2, rel=0.4)


def test_what_is_scarce_shrinks_the_whole_and_the_shares_hold(mix: Mix) -> None:
    report = mix(general=10)
    available = report.kinds["general_replay"].available_bytes
    assert report.kinds["general_replay"].bytes == available
    assert report.bytes == pytest.approx(available * 5, rel=0.05)
    assert report.kinds["domain_documents"].share == pytest.approx(0.4, abs=0.03)
    (note,) = report.notes
    assert note.startswith(f"general_replay has {available:,} bytes, 4,000 needed")


def test_a_domain_without_questions_gives_their_share_to_its_documents(mix: Mix) -> None:
    report = mix(questions=0)
    assert report.kinds["domain_documents"].share == pytest.approx(0.8, abs=0.02)
    assert report.kinds["domain_questions"].records == 0
    assert report.notes == ["the domain has no questions: their share (0.4) goes to its documents"]


def test_without_replay_where_replay_is_wanted_the_run_stops(mix: Mix) -> None:
    with pytest.raises(UserError, match=r"mix\.general_replay is 0\.2, but there is no such text"):
        mix(general=0)


def test_a_share_of_nothing_is_nothing(mix: Mix) -> None:
    report = mix(general=0, domain_documents=0.5, domain_questions=0.5, general_replay=0.0)
    assert report.kinds["general_replay"].records == 0
    assert report.kinds["domain_questions"].share == pytest.approx(0.5, abs=0.02)
