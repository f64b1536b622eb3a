"""dedup: one of each set stays, the right one, and the rest is accounted for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from acclimate.core.files import read_jsonl, read_parquet
from acclimate.core.params import CommonParams, DedupParams
from acclimate.data.dedup import DedupReport, run

Row = dict[str, Any]
Make = Callable[..., Row]
Write = Callable[[Path, Sequence[Row]], Path]

COMMON = CommonParams(seed=1729, threads=1, min_free_disk_mb=0)
PARAMS = DedupParams(threshold=0.8, shingle_words=5, engine="local", spark_master=None)
TEXT = " ".join(f"word{i}" for i in range(60))


def _dedup(write: Write, directory: Path, **stores: Sequence[Row]) -> DedupReport:
    for store in ("train", "validation", "test"):
        rows = [{**row, "cluster": row["group"]} for row in stores.get(store, [])]
        write(directory / "stores" / f"{store}.parquet", rows)
    (directory / "out").mkdir()
    return run(PARAMS, COMMON, stores=directory / "stores", out=directory / "out")


def _kept(directory: Path, store: str = "train") -> list[str]:
    kept: list[str] = read_parquet(directory / "out" / f"{store}.parquet").column("id").to_pylist()
    return kept


def test_one_of_each_set_stays_and_the_rest_is_rejected_with_its_survivor(
    tmp_path: Path, document: Make, write_documents: Write
) -> None:
    rows = [document(TEXT, id="a"), document(TEXT + " end", id="b"), document("nothing like it at all, ever", id="c")]
    report = _dedup(write_documents, tmp_path, train=rows)
    assert _kept(tmp_path) == ["a", "c"]
    assert read_jsonl(tmp_path / "out/rejected.jsonl") == [
        {
            "id": "b",
            "source": "shelf",
            "origin": "split: train",
            "reason": "near-duplicate",
            "detail": "of a, Jaccard 0.982",
            "excerpt": TEXT[:120],
        }
    ]
    assert report.headline() == "3 in, 2 out (near-duplicate 1)"
    assert report.sets == {"train": 1, "validation": 0, "test": 0}
    assert (report.bands, report.rows, report.recall_at_threshold) == (21, 6, 0.998312)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"id": "z", "quality_score": 0.9}, {"id": "a", "quality_score": 0.8, "created_date": date(2020, 1, 1)}),
        ({"id": "z", "quality_score": 0.1}, {"id": "a", "quality_score": None}),
        ({"id": "z", "created_date": date(2020, 1, 1)}, {"id": "a", "created_date": date(2021, 1, 1)}),
        ({"id": "z", "created_date": date(2020, 1, 1)}, {"id": "a", "created_date": None}),
        ({"id": "a"}, {"id": "z"}),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_the_survivor_is_the_best_then_the_oldest_then_the_smallest_id(
    tmp_path: Path, document: Make, write_documents: Write, one: Row, other: Row, turned: bool
) -> None:
    rows = [document(TEXT, **one), document(TEXT + " end", **other)]
    _dedup(write_documents, tmp_path, train=rows[::-1] if turned else rows)
    assert _kept(tmp_path) == [one["id"]]


def test_stores_are_deduplicated_each_by_itself(tmp_path: Path, document: Make, write_documents: Write) -> None:
    rows = [document(TEXT, id="a"), document(TEXT.upper(), id="b")]
    report = _dedup(write_documents, tmp_path, train=rows[:1], test=rows)
    assert (_kept(tmp_path), _kept(tmp_path, "validation"), _kept(tmp_path, "test")) == (["a"], [], ["a"])
    assert report.stores["train"].rejected == {}
    assert report.stores["test"].rejected == {"near-duplicate": 1}
    assert report.funnel.records_in == 3


def test_different_texts_all_stay_in_order_with_their_cluster(
    tmp_path: Path, corpus: list[Row], write_documents: Write
) -> None:
    _dedup(write_documents, tmp_path, train=corpus)
    assert _kept(tmp_path) == [row["id"] for row in corpus]
    assert "cluster" in read_parquet(tmp_path / "out/train.parquet").column_names


def test_threads_make_no_difference_and_nothing_is_left_behind(
    tmp_path: Path, document: Make, write_documents: Write
) -> None:
    rows = [document(f"{TEXT} {copy} {copy % 3}", id=f"{copy:03d}", quality_score=copy / 100) for copy in range(90)]
    _dedup(write_documents, tmp_path / "one", train=rows)
    (tmp_path / "two/out").mkdir(parents=True)
    run(PARAMS, COMMON.model_copy(update={"threads": 2}), stores=tmp_path / "one/stores", out=tmp_path / "two/out")
    files = sorted(path.name for path in (tmp_path / "one/out").iterdir())
    assert files == ["rejected.jsonl", "test.parquet", "train.parquet", "validation.parquet"]
    for name in files:
        assert (tmp_path / "one/out" / name).read_bytes() == (tmp_path / "two/out" / name).read_bytes()
    assert _kept(tmp_path / "one") == ["089"]
