"""text-dedup's sets, our survivors: what the package calls copies goes, and says how similar it really is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from acclimate.core.files import read_jsonl, read_parquet
from acclimate.core.params import CommonParams, DedupParams
from acclimate.data.dedup import run

Row = dict[str, Any]
Make = Callable[..., Row]
Write = Callable[[Path, Sequence[Row]], Path]

COMMON = CommonParams(seed=1729, threads=1, min_free_disk_mb=0)
PARAMS = DedupParams(threshold=0.8, shingle_words=5, engine="text-dedup", spark_master=None)
TEXT = " ".join(f"word{number}" for number in range(60))
pytestmark = pytest.mark.timeout(900)


@pytest.mark.usefixtures("with_text_dedup")
def test_its_sets_go_by_our_rule_and_what_is_short_or_without_words_stays(
    tmp_path: Path, document: Make, write_documents: Write
) -> None:
    rows = [
        document("nothing like it at all, ever, and in no other words", id="other"),
        document(TEXT, id="first"),
        document(TEXT + " naïve", id="best", quality_score=0.9),
        document(TEXT, id="copy"),
        document("See also", id="short"),
        document("See also", id="short too"),
        document("---", id="no words"),
    ]
    stores = {"train": rows, "validation": [document(TEXT, id="alone")], "test": []}
    for store, of_store in stores.items():
        write_documents(tmp_path / f"stores/{store}.parquet", [{**row, "cluster": "c"} for row in of_store])
    (tmp_path / "out").mkdir()
    report = run(PARAMS, COMMON, stores=tmp_path / "stores", out=tmp_path / "out")
    kept = read_parquet(tmp_path / "out/train.parquet")["id"].to_pylist()
    assert kept == ["other", "best", "short", "short too", "no words"]
    assert [(row["id"], row["detail"]) for row in read_jsonl(tmp_path / "out/rejected.jsonl")] == [
        ("first", "of best, Jaccard 0.982"),
        ("copy", "of best, Jaccard 0.982"),
    ]
    assert report.headline() == "8 in, 6 out (near-duplicate 2), found by text-dedup"
    assert (report.bands, report.rows, report.recall_at_threshold) == (9, 13, 0.398844)
    assert report.sets == {"train": 1, "validation": 0, "test": 0}
