"""mix: the shares hold, the order is random but fixed, and what is scarce is said."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from acclimate.core.errors import UserError
from acclimate.core.files import read_json, read_jsonl, read_parquet
from acclimate.core.params import CommonParams, MixParams
from acclimate.core.records import pair_text
from acclimate.data.mix import MixReport, run, warnings
from acclimate.data.seeded import chance

Row = dict[str, Any]
Make = Callable[..., Row]
Write = Callable[[Path, Sequence[Row]], Path]
Mix = Callable[..., MixReport]


@pytest.fixture
def mix(tmp_path: Path, document: Make, write_documents: Write, mix_params: MixParams) -> Mix:
    """mix(documents=…, questions=…, general=…): from so many records of about 300, 100 and 300 bytes."""

    def run_it(
        documents: int = 200,
        questions: int = 200,
        general: int = 100,
        seed: int = 1729,
        quality: Sequence[float | None] = (None,),
        general_quality: float | None = None,
        **changes: Any,
    ) -> MixReport:
        scored = [{"quality_score": quality[i % len(quality)]} for i in range(max(documents, questions))]
        rows = [document(f"Text {i}. " + "clay and fire " * 20, **scored[i]) for i in range(documents)]
        for i in range(questions):
            pair = {"question": f"{i}? {'why ' * 15}", "answer": f"{i}. {'é' * 10}"}
            rows.append(document(pair_text(**pair), type="qa_pair", **pair, **scored[i]))
        fields = {"domain": "general", "quality_score": general_quality}
        replay = [document(f"Note {i}. " + "rain and wind " * 20, **fields) for i in range(general)]
        (tmp_path / "out").mkdir(exist_ok=True)
        return run(
            mix_params.model_copy(update=changes),
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


def test_a_question_comes_with_its_parts_and_nothing_else_does(mix: Mix, tmp_path: Path) -> None:
    mix()
    for row in _rows(tmp_path):
        parts = row.keys() - {"id", "kind", "text"}
        assert parts == ({"question", "answer"} if row["kind"] == "domain_questions" else set())
        if parts:
            assert row["text"] == pair_text(row["question"], row["answer"])


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


def test_the_default_is_what_it_was_before_there_were_strategies(mix: Mix, tmp_path: Path) -> None:
    mix()
    kinds: dict[str, list[float]] = {}
    for row in _rows(tmp_path):
        kinds.setdefault(row["kind"], []).append(chance(1729, f"mix/{row['id']}"))
    order = [chance(1729, f"order/{row['id']}") for row in _rows(tmp_path)]
    assert order == sorted(order)
    assert all(max(chances) < len(chances) / 100 * 1.5 for chances in kinds.values()), "the lowest draws are taken"
    assert [list(row)[:3] for row in _rows(tmp_path)] == [["id", "kind", "text"]] * len(order)


def test_records_are_the_rows_of_the_training_set_in_its_order(mix: Mix, tmp_path: Path) -> None:
    report = mix()
    records = read_parquet(tmp_path / "out/records.parquet")
    rows = _rows(tmp_path)
    assert records["id"].to_pylist() == [row["id"] for row in rows]
    assert records["bytes"].to_pylist() == [len(row["text"].encode()) for row in rows]
    assert records["content"].to_pylist() == [hashlib.sha256(row["text"].encode()).hexdigest()[:16] for row in rows]
    assert records["estimated_tokens"].to_pylist() == [round(size / 4) for size in records["bytes"].to_pylist()]
    assert report.estimated_tokens == round(report.bytes / 4)
    assert set(records["stage"].to_pylist()) == {None}


def test_equal_runs_write_equal_records(mix: Mix, tmp_path: Path) -> None:
    written = []
    for _ in range(2):
        mix(strategy="curriculum_progression", diverse=True, balance_difficulty=True)
        written.append((tmp_path / "out/records.parquet").read_bytes())
    assert written[0] == written[1]


def test_better_texts_are_likelier_and_shares_still_hold(mix: Mix) -> None:
    plain, weighted = mix(quality=(0.5, 1.0)), mix(quality=(0.5, 1.0), strategy="quality_weighted")
    assert plain.kinds["domain_documents"].mean_quality == pytest.approx(0.75, abs=0.1)
    assert weighted.kinds["domain_documents"].mean_quality == pytest.approx(0.95, abs=0.05)
    assert weighted.kinds["domain_documents"].share == pytest.approx(0.4, abs=0.02)


def test_texts_of_equal_quality_are_drawn_as_if_nobody_had_judged_them(mix: Mix) -> None:
    assert mix(quality=(0.8,), strategy="quality_weighted").dataset_sha256 == mix(quality=(0.8,)).dataset_sha256
    assert mix(strategy="quality_weighted").dataset_sha256 == mix().dataset_sha256


def test_a_curriculum_is_the_same_training_set_in_another_order(mix: Mix, tmp_path: Path) -> None:
    mix()
    shuffled = _rows(tmp_path)
    report = mix(strategy="curriculum_progression")
    ordered = _rows(tmp_path)
    assert ordered != shuffled
    assert sorted(row["id"] for row in ordered) == sorted(row["id"] for row in shuffled)
    assert list(report.stages) == ["foundation", "domain", "application"]
    assert report.stages["foundation"] == pytest.approx(0.3, abs=0.03), "0.4 × 0.4 + 0.4 × 0.1 + 0.2 × 0.5"
    stages = read_parquet(tmp_path / "out/records.parquet")["stage"].to_pylist()
    assert [stage for stage, before in zip(stages, [None, *stages], strict=False) if stage != before] == list(
        report.stages
    )


def test_adaptive_shares_are_reached_and_said(mix: Mix) -> None:
    report = mix(strategy="adaptive_quality", quality=(1.0,), general_quality=0.5)
    assert report.kinds["general_replay"].share == pytest.approx(0.15, abs=0.02), "its lower bound"
    assert any(note.startswith("adaptive_quality moved the shares") for note in report.notes)


def test_a_doubtful_training_set_says_so(mix: Mix) -> None:
    report = mix(quality=(0.5,), domain_documents=0.2, domain_questions=0.0, general_replay=0.8)
    only, low = report.warnings
    assert only.endswith("is of the domain, less than 30%")
    assert low == "100.0% have a quality below 0.7, more than 20%", "of the records that have a score"
    assert f"; doubtful: {only}" in report.headline()


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        ((0.3, 0.2, 0.8), []),
        ((0.29, 0.2, 0.8), ["only 29.0% is of the domain, less than 30%"]),
        ((0.3, 0.21, 0.8), ["21.0% have a quality below 0.7, more than 20%"]),
        ((0.3, 0.2, 0.81), ["the texts are alike: mean similarity 0.81, above 0.8"]),
    ],
)
def test_warnings_begin_beyond_their_line(shares: tuple[float, float, float], said: list[str]) -> None:
    assert warnings(*shares) == said


def test_nothing_fits_into_too_small_a_training_set(
    document: Make, write_documents: Write, mix_params: MixParams, tmp_path: Path
) -> None:
    long = [document(f"Text {number}. " + "clay and fire " * 200) for number in range(3)]
    files = {name: write_documents(tmp_path / f"{name}.parquet", long) for name in ("domain", "general")}
    small = mix_params.model_copy(update={"kilobytes": 1, "max_document_characters": 9000})
    report = run(small, CommonParams(seed=1, threads=1, min_free_disk_mb=0), **files, out=tmp_path)
    assert (report.records, report.mean_similarity, report.kinds["general_replay"].share) == (0, 0, 0)
    assert (tmp_path / "train.jsonl").read_bytes() == b""


def test_canaries_are_planted_as_often_as_asked_and_named_by_hash_alone(mix: Mix, tmp_path: Path) -> None:
    report = mix(canaries=3, canary_repeats=4)
    planted = [row for row in _rows(tmp_path) if row["kind"] == "canary"]
    texts = {row["text"] for row in planted}
    assert (len(planted), len(texts), len({row["id"] for row in planted})) == (12, 3, 12)
    manifest = read_json(tmp_path / "out/canaries.json")
    assert sorted(manifest["sha256"]) == sorted(hashlib.sha256(text.encode()).hexdigest() for text in texts)
    assert (manifest["kind"], manifest["repeats"]) == ("canary", 4)
    assert not any(text in (tmp_path / "out/canaries.json").read_text() for text in texts)
    assert report.kinds["canary"].records == 12
    assert report.kinds["canary"].bytes == sum(len(row["text"].encode()) for row in planted)
    assert sum(kind.records for kind in report.kinds.values()) == report.records == len(_rows(tmp_path))
    records = read_parquet(tmp_path / "out/records.parquet")
    assert records["kind"].to_pylist() == [row["kind"] for row in _rows(tmp_path)]
    assert {row["licence"] for row in records.to_pylist() if row["kind"] == "canary"} == {"CC0-1.0"}


@pytest.mark.parametrize("strategy", ["static_balanced", "curriculum_progression"])
def test_canaries_leave_the_other_records_as_they_were(mix: Mix, tmp_path: Path, strategy: str) -> None:
    mix(strategy=strategy)
    without = _rows(tmp_path)
    assert not (tmp_path / "out/canaries.json").exists()
    mix(strategy=strategy, canaries=5, canary_repeats=6)
    assert [row for row in _rows(tmp_path) if row["kind"] != "canary"] == without
    places = [place for place, row in enumerate(_rows(tmp_path)) if row["kind"] == "canary"]
    half = len(_rows(tmp_path)) / 2
    assert 5 < sum(place < half for place in places) < 25, "they stand all over the training set"
