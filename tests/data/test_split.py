"""split: clusters stay whole, stores stay put, and an empty store is an error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from acclimate.core.errors import UserError
from acclimate.core.files import read_jsonl, read_parquet, write_json
from acclimate.core.params import CommonParams, SplitParams
from acclimate.data.evaluation.evaluation_items import TASKS
from acclimate.data.evaluation.locking import lock
from acclimate.data.split import STORES, SplitReport, cluster_names, giant_clusters, run, store_of

Row = dict[str, Any]
Write = Callable[[Path, Sequence[Row]], Path]

COMMON = CommonParams(seed=1729, threads=1, min_free_disk_mb=0)
PARAMS = SplitParams(
    validation_share=0.1,
    test_share=0.2,
    cluster_threshold=0.5,
    boilerplate_documents=3,
    cloze_items=40,
    cloze_left_characters=200,
    cloze_right_characters=40,
    bits_per_byte_documents=10,
)


def _split(write: Write, directory: Path, rows: Sequence[Row], params: SplitParams = PARAMS) -> SplitReport:
    (directory / "out").mkdir(parents=True)
    write(directory / "documents" / "part-00000.parquet", rows)
    testset = directory / "testset"
    if not testset.exists():
        write_json(testset / "lock.json", {})
    return run(params, COMMON, documents=directory / "documents", testset=testset, out=directory / "out")


def _stores(directory: Path) -> dict[str, str]:
    """Document id to the store it is in."""
    return {
        identity: store
        for store in STORES
        for identity in read_parquet(directory / "out" / f"{store}.parquet").column("id").to_pylist()
    }


def test_every_document_is_in_one_store_and_shares_are_near_the_dials(
    tmp_path: Path, corpus: list[Row], write_documents: Write
) -> None:
    report = _split(write_documents, tmp_path, corpus)
    stores = _stores(tmp_path)
    assert len(stores) == len(corpus) == report.funnel.records_in == report.funnel.records_out
    for shares in report.stores.values():
        # 240 draws at 0.2: standard deviation 0.026.
        assert shares["test"].document_share == pytest.approx(0.2, abs=0.08)
        assert sum(share.documents for share in shares.values()) == 240
        assert sum(share.byte_share for share in shares.values()) == pytest.approx(1, abs=0.001)


def test_near_duplicates_and_groups_are_never_parted(
    tmp_path: Path, corpus: list[Row], document: Callable[..., Row], write_documents: Write
) -> None:
    copies = [document(f"{row['text']} Slightly longer.", domain=row["domain"]) for row in corpus]
    questions = [
        document(f"Question: what is {i}?\nAnswer: {i}.", type="qa_pair", group=row["group"], domain=row["domain"])
        for i, row in enumerate(corpus)
    ]
    report = _split(write_documents, tmp_path, [*corpus, *copies, *questions])
    stores = _stores(tmp_path)
    assert {stores[row["id"]] for row in corpus} == set(STORES)
    for row, copy, question in zip(corpus, copies, questions, strict=True):
        assert stores[row["id"]] == stores[copy["id"]] == stores[question["id"]]
    assert (report.clusters, report.largest_cluster) == (len(corpus), 3)


def test_documents_stay_in_their_store_when_others_come(
    tmp_path: Path, corpus: list[Row], write_documents: Write
) -> None:
    few = [row for place, row in enumerate(corpus) if place % 5]
    _split(write_documents, tmp_path / "few", few)
    _split(write_documents, tmp_path / "all", corpus)
    assert _stores(tmp_path / "few").items() <= _stores(tmp_path / "all").items()


def test_equal_runs_give_equal_bytes(tmp_path: Path, corpus: list[Row], write_documents: Write) -> None:
    reports = [_split(write_documents, tmp_path / name, corpus) for name in "ab"]
    assert asdict(reports[0]) == asdict(reports[1])
    files = [f"{store}.parquet" for store in STORES] + [f"evaluation/{task}.jsonl" for task in TASKS]
    for file in files:
        assert (tmp_path / "a/out" / file).read_bytes() == (tmp_path / "b/out" / file).read_bytes()


def test_items_are_drawn_from_the_test_store_only(tmp_path: Path, corpus: list[Row], write_documents: Write) -> None:
    report = _split(write_documents, tmp_path, corpus)
    stores = _stores(tmp_path)
    for task in TASKS:
        items = read_jsonl(tmp_path / f"out/evaluation/{task}.jsonl")
        assert len(items) == report.tasks[task].items > 0
        assert {stores[item["document"]] for item in items} == {"test"}
    assert report.headline() == (
        "480 documents in 480 clusters; items: domain_cloze 40, general_cloze 40, domain_text 10, general_text 10"
    )


def _lock(directory: Path) -> None:
    files = sorted((directory / "out/evaluation").glob("*.jsonl"))
    write_json(directory / "testset" / "lock.json", {})
    lock(directory / "testset", "pottery", files, by="ada", now="2026-11-21T09:30:00+00:00")


def test_a_locked_test_set_stays_what_it_was_when_documents_come(
    tmp_path: Path, corpus: list[Row], write_documents: Write
) -> None:
    few = [row for place, row in enumerate(corpus) if place % 5]
    _split(write_documents, tmp_path / "few", few)
    _split(write_documents, tmp_path / "all", corpus)
    cloze = "out/evaluation/domain_cloze.jsonl"
    assert (tmp_path / "all" / cloze).read_bytes() != (tmp_path / "few" / cloze).read_bytes()
    _lock(tmp_path / "few")
    (tmp_path / "few/testset").rename(tmp_path / "moved")
    (tmp_path / "later").mkdir()
    (tmp_path / "moved").rename(tmp_path / "later/testset")
    report = _split(write_documents, tmp_path / "later", corpus)
    for task in TASKS:
        file = f"out/evaluation/{task}.jsonl"
        assert (tmp_path / "later" / file).read_bytes() == (tmp_path / "few" / file).read_bytes()
    assert report.locked == "2026-11-21T09:30:00+00:00"
    assert report.headline().endswith(", locked since 2026-11-21")


def test_documents_of_locked_items_stay_out_of_training_whatever_cluster_they_come_to(
    tmp_path: Path, corpus: list[Row], write_documents: Write
) -> None:
    _split(write_documents, tmp_path, corpus)
    _lock(tmp_path)
    [item, *_] = read_jsonl(tmp_path / "out/evaluation/domain_cloze.jsonl")
    name = next(f"aaa {i}" for i in range(99) if store_of(f"aaa {i}", PARAMS, COMMON.seed) == "train")
    regrouped = [{**row, "group": name} if row["id"] == item["document"] else row for row in corpus]
    (tmp_path / "again").mkdir()
    (tmp_path / "testset").rename(tmp_path / "again/testset")
    _split(write_documents, tmp_path / "again", regrouped)
    assert _stores(tmp_path / "again")[item["document"]] == "test"


def test_a_changed_locked_file_is_refused(tmp_path: Path, corpus: list[Row], write_documents: Write) -> None:
    _split(write_documents, tmp_path, corpus)
    _lock(tmp_path)
    with (tmp_path / "testset/pottery/domain_cloze.jsonl").open("a") as file:
        file.write("{}\n")
    (tmp_path / "again").mkdir()
    (tmp_path / "testset").rename(tmp_path / "again/testset")
    with pytest.raises(UserError, match=r"domain_cloze.jsonl has SHA-256 .* locked on 2026-11-21 was"):
        _split(write_documents, tmp_path / "again", corpus)


def test_a_cluster_is_called_by_its_first_group() -> None:
    text = "the same nine words in both of these texts"
    assert cluster_names([text, text, "another text"], ["zinc", "amber", "quartz"], 0.5, 1) == [
        "amber",
        "amber",
        "quartz",
    ]


def test_a_giant_cluster_goes_to_training(tmp_path: Path, corpus: list[Row], write_documents: Write) -> None:
    # 40 of 240 documents in one group; the test store should hold 48 of them: more than a tenth of it.
    name = next(f"giant {i}" for i in range(99) if store_of(f"giant {i}", PARAMS, COMMON.seed) == "test")
    grouped = [{**row, "group": name} if place < 40 else row for place, row in enumerate(corpus)]
    report = _split(write_documents, tmp_path, grouped)
    assert report.giants == {name: 40}
    assert {_stores(tmp_path)[row["id"]] for row in grouped[:40]} == {"train"}


def test_a_small_cluster_is_no_giant_in_a_small_corpus() -> None:
    assert giant_clusters(["a"] * 10 + ["b"] * 11, ["d"] * 21, 0.2) == {"b": 11}


def test_a_corpus_without_general_text_is_refused(tmp_path: Path, corpus: list[Row], write_documents: Write) -> None:
    with pytest.raises(UserError, match="the corpus has only documents of pottery"):
        _split(write_documents, tmp_path, corpus[:240])


def test_an_empty_corpus_is_refused(tmp_path: Path, write_documents: Write) -> None:
    with pytest.raises(UserError, match="the corpus is empty"):
        _split(write_documents, tmp_path, [])


def test_an_empty_store_is_refused_by_name(tmp_path: Path, corpus: list[Row], write_documents: Write) -> None:
    one_group = [{**row, "group": "all of it"} if row["domain"] == "general" else row for row in corpus]
    with pytest.raises(UserError, match="validation has no document of general; test has no document of general"):
        _split(write_documents, tmp_path, one_group)
