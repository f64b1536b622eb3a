"""The source `huggingface`, on folders in the form of a dataset; and what is said of a hub that has none."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from acclimate.core.errors import UserError
from acclimate.core.files import read_json
from acclimate.core.params import HuggingFaceSource
from acclimate.data.remote import huggingface
from acclimate.data.remote.mirror import Fetched, Place

GENERAL = Path(__file__).parents[3].parent / "shared/data/general"
Tree = Callable[[Place], dict[str, tuple[bytes, int, int]]]
COMMAND = """
import sys
from pathlib import Path
from acclimate.core.params import HuggingFaceSource
from acclimate.data.remote import huggingface
from acclimate.data.remote.mirror import Place
from acclimate.core.errors import UserError
try:
    huggingface.fetch(HuggingFaceSource.model_validate_json(sys.argv[1]), Place.of(Path(sys.argv[2]), "shelf"))
except UserError as fault:
    print(type(fault).__name__, fault.what)
"""


def _source(dataset: str = "./set", **settings: Any) -> HuggingFaceSource:
    given = {"kind": "huggingface", "name": "shelf", "domain": "pottery", "licence": "CC0-1.0", "dataset": dataset}
    return HuggingFaceSource.model_validate({**given, **settings})


def _write(place: Place, rows: list[dict[str, Any]], split: str = "train") -> None:
    path = place.root / f"set/{split}.jsonl"
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def _rows(count: int) -> list[dict[str, Any]]:
    return [{"id": number, "text": f"record {number}"} for number in range(count)]


def _records(place: Place) -> list[dict[str, Any]]:
    lines = [line for path in sorted(place.mirror.glob("*.jsonl")) for line in path.read_bytes().splitlines()]
    return [json.loads(line) for line in lines]


def _by_id(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: str(row["id"]))


def test_every_record_of_the_split_is_there_once(place: Place) -> None:
    _write(place, _rows(2500))
    _write(place, [{"id": -1, "text": "held out"}], split="test")
    fetched = huggingface.fetch(_source(), place)
    assert _by_id(_records(place)) == _by_id(_rows(2500))
    assert (fetched.unit, fetched.new) == ("shards", len(list(place.mirror.glob("*.jsonl"))))
    huggingface.fetch(_source(split="test"), place)
    assert _records(place) == [{"id": -1, "text": "held out"}]
    huggingface.fetch(_source(max_records=7), place)
    assert _records(place) == _rows(7)


def test_nothing_is_touched_where_nothing_changed_and_one_shard_where_one_record_did(place: Place, tree: Tree) -> None:
    rows = _rows(6000)
    _write(place, rows)
    huggingface.fetch(_source(), place)
    before = tree(place)
    assert huggingface.fetch(_source(), place) == Fetched("shards", unchanged=len(before) - 1)
    assert tree(place) == before
    rows[3000]["text"] = "mended"
    _write(place, rows)
    again = huggingface.fetch(_source(), place)
    assert (again.new, again.removed) == (1, 1)
    kept = before.keys() & tree(place).keys() - {".manifest.json"}
    assert {name: tree(place)[name] for name in kept} == {name: before[name] for name in kept}
    assert _by_id(_records(place)) == _by_id(rows)


def test_a_shard_that_was_lost_comes_back(place: Place, tree: Tree) -> None:
    _write(place, _rows(3000))
    huggingface.fetch(_source(), place)
    before = {name: content for name, (content, *_) in tree(place).items()}
    next(place.mirror.glob("*.jsonl")).unlink()
    assert huggingface.fetch(_source(), place).new == 1
    assert {name: content for name, (content, *_) in tree(place).items()} == before


def test_killed_half_way_it_goes_on_and_ends_like_an_undisturbed_one(place: Place, tmp_path: Path) -> None:
    rows = _rows(12_000)
    _write(place, rows)
    process = subprocess.Popen([sys.executable, "-c", COMMAND, _source().model_dump_json(), str(place.root)])
    journal = place.work / "progress.json"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not journal.exists():
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not place.mirror.exists()
    assert 0 < read_json(journal)["records"] < 12_000
    kept = next((place.work / "shards").glob("*.jsonl")).stat().st_mtime_ns
    huggingface.fetch(_source(), place)
    assert kept in {path.stat().st_mtime_ns for path in place.mirror.glob("*.jsonl")}
    assert _by_id(_records(place)) == _by_id(rows)
    (tmp_path / "other").mkdir()
    (tmp_path / "other/set").symlink_to(place.root / "set")
    undisturbed = Place.of(tmp_path / "other", "shelf")
    huggingface.fetch(_source(), undisturbed)
    files = {path.name: path.read_bytes() for path in undisturbed.mirror.iterdir()}
    assert {path.name: path.read_bytes() for path in place.mirror.iterdir()} == files
    assert not journal.exists()


def test_repeated_records_are_all_there(place: Place) -> None:
    _write(place, [{"text": "the same"}] * 2000)
    huggingface.fetch(_source(), place)
    assert len(_records(place)) == 2000


def test_values_that_json_does_not_know_are_written_as_it_can(place: Place) -> None:
    (place.root / "set").mkdir()
    columns = {
        "day": pa.array([18_000], pa.date32()),
        "when": pa.array([1_700_000_000_000], pa.timestamp("ms", tz="UTC")),
        "score": pa.array([float("nan")]),
        "scan": pa.array([b"\xff\xd8"]),
        "nested": pa.array([{"parts": ["ä", None]}]),
    }
    pq.write_table(pa.table(columns), place.root / "set/train.parquet")
    huggingface.fetch(_source(), place)
    assert _records(place) == [
        {
            "day": "2019-04-14",
            "when": "2023-11-14T22:13:20+00:00",
            "score": None,
            "scan": None,
            "nested": {"parts": ["ä", None]},
        }
    ]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"split": "trian"}, "Bad split: trian"),
        ({"config": "german"}, "BuilderConfig 'german' not found"),
        ({"data_files": "*.parquet"}, r"No \(supported\) data files found"),
        ({"dataset": "./nowhere"}, "there is no folder ./nowhere"),
        ({"dataset": "set", "revision": "0" * 40}, "a folder of this name stands here too"),
    ],
)
def test_what_is_not_there_is_named(
    place: Place, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], said: str
) -> None:
    _write(place, _rows(1))
    monkeypatch.chdir(place.root)
    with pytest.raises(UserError, match=said):
        huggingface.fetch(_source(**settings), place)
    assert not place.mirror.exists()


def test_a_file_that_is_broken_in_the_middle_leaves_no_mirror(place: Place) -> None:
    _write(place, _rows(1000))
    with (place.root / "set/train.jsonl").open("a") as file:
        file.write('{"id": 1, "text": \n' * 3)
    with pytest.raises(UserError, match="huggingface:"):
        huggingface.fetch(_source(), place)
    assert not place.mirror.exists()


def test_files_that_disagree_on_the_type_of_a_column_are_told(place: Place) -> None:
    _write(place, [{"text": "x", "meta": 1}], split="train-1")
    _write(place, [{"text": "x", "meta": {"year": 1}}], split="train-2")
    with pytest.raises(UserError, match=r"huggingface:\./set: Couldn't cast"):
        huggingface.fetch(_source(), place)
    assert not place.mirror.exists()


def test_a_mirror_that_a_kill_left_aside_is_back_even_if_the_fetch_fails(place: Place) -> None:
    _write(place, _rows(1))
    huggingface.fetch(_source(), place)
    place.mirror.rename(place.work / "previous")
    with pytest.raises(UserError, match=r"there is no folder \./nowhere"):
        huggingface.fetch(_source("./nowhere"), place)
    assert _records(place) == _rows(1)


def test_a_dataset_of_the_hub_needs_a_commit() -> None:
    with pytest.raises(ValueError, match="needs a `revision`: a commit hash"):
        _source("someone/something")
    with pytest.raises(ValueError, match="match pattern"):
        _source("someone/something", revision="main")


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        (
            {"X-Error-Code": "RepoNotFound"},
            "UserError huggingface:someone/something: Dataset 'someone/",
        ),
        ({}, "UnreachableError huggingface:someone/something: Couldn't find"),
    ],
)
def test_a_hub_without_that_dataset_is_told_from_a_hub_that_is_out_of_order(
    place: Place, website: Any, headers: dict[str, str], said: str
) -> None:
    website.otherwise = (404, {"X-Request-Id": "1", **headers}, b"")
    source = _source("someone/something", revision="0" * 40)
    environment = {**os.environ, "HF_ENDPOINT": website.url, "HF_HOME": str(place.root / "hub"), "HF_HUB_OFFLINE": "0"}
    command = [sys.executable, "-c", COMMAND, source.model_dump_json(), str(place.root)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(said)
    assert f"/resolve/{'0' * 40}/" in website.asked[-1][0]


@pytest.mark.skipif(not GENERAL.exists(), reason="needs ../shared/data")
@pytest.mark.parametrize(("folder", "records"), [("openbookqa", 4957), ("gsm8k", 7473)])
def test_real_datasets_come_whole(place: Place, folder: str, records: int) -> None:
    source = _source(str(GENERAL / folder))
    huggingface.fetch(source, place)
    written = (GENERAL / folder / "train.jsonl").read_bytes().splitlines()
    assert len(written) == records
    assert sorted(map(json.dumps, _records(place))) == sorted(json.dumps(json.loads(line)) for line in written)
