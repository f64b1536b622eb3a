"""`acclimate fetch`: every source tried, what came told, one at a time; and `ingest` reads what it left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from acclimate.cli import main
from acclimate.core.files import read_jsonl
from acclimate.core.locks import inputs_lock, locked
from acclimate.core.params import load
from acclimate.data import fetch, ingest

CHECKOUT = Path(__file__).parents[2]
ROWS = [{"prompt": f"How is glaze {n} fired?", "reply": f"Slowly, at cone {n}."} for n in range(30)]
PAIRS = {
    "kind": "huggingface",
    "name": "pairs",
    "domain": "pottery",
    "licence": "CC0-1.0",
    "dataset": "./set",
    "fields": {"question": "prompt", "answer": "reply"},
}
NEWS = {"kind": "feed", "domain": "pottery", "licence": "CC0-1.0", "allow_private": True}
PAPERS = {"kind": "s3", "domain": "pottery", "licence": "CC0-1.0", "bucket": "papers"}
GENERAL = {"kind": "files", "name": "own", "domain": "general", "licence": "CC0-1.0", "path": "inputs/*.jsonl"}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with a small dataset beside its params.yaml."""
    monkeypatch.setenv("ACCLIMATE_HOME", str(tmp_path))
    (tmp_path / "set").mkdir()
    (tmp_path / "set/train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (tmp_path / "inputs").mkdir()
    (tmp_path / "inputs/own.jsonl").write_text('{"text": "Something in general."}\n')
    return tmp_path


def _configure(root: Path, *sources: dict[str, Any], domain: str = "pottery") -> None:
    params = yaml.safe_load((CHECKOUT / "params.yaml").read_text())
    params["ingest"] |= {"domain": domain, "sources": [*sources, GENERAL]}
    params["common"]["min_free_disk_mb"] = 0
    (root / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))


def test_what_was_fetched_is_what_ingest_reads(root: Path, capsys: pytest.CaptureFixture[str], website: Any) -> None:
    entry = (
        "<item><guid>1</guid><title>Kiln</title><description>It cracked &lt;b&gt;again&lt;/b&gt;.</description></item>"
    )
    website.pages["/feed"] = (200, {}, f"<rss version='2.0'><channel>{entry}</channel></rss>".encode())
    _configure(root, PAIRS, {**NEWS, "name": "news", "url": f"{website.url}/feed"})
    assert main(["fetch"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "pairs: 1 shards new, 0 changed, 0 unchanged, 0 removed, 0.0 MB",
        "news: 1 entries new, 0 changed, 0 unchanged, 0 removed, 0.0 MB",
    ]
    (root / "out").mkdir()
    params = load(root / "params.yaml").ingest
    report = ingest.run(params, inputs=root / "inputs", accepted=root / "accepted", out=root / "out")
    assert [(count.name, count.documents, count.pairs) for count in report.sources] == [
        ("pairs", 0, 30),
        ("news", 1, 0),
        ("own", 1, 0),
    ]


def test_a_source_that_fails_does_not_keep_the_others_from_coming(
    root: Path, capsys: pytest.CaptureFixture[str], website: Any
) -> None:
    lost = {**NEWS, "name": "lost", "url": f"{website.url}/lost?key=secret"}
    _configure(root, lost, PAIRS, {**PAIRS, "name": "nowhere", "dataset": "./nowhere"})
    assert main(["fetch"]) == 2
    told = capsys.readouterr()
    assert told.out.splitlines() == [
        "lost: failed",
        "pairs: 1 shards new, 0 changed, 0 unchanged, 0 removed, 0.0 MB",
        "nowhere: failed",
    ]
    assert "acclimate fetch: 2 sources failed:" in told.err
    assert f"  - source 'lost': {website.url}/lost answers with status 404" in told.err
    assert "  - source 'nowhere': there is no folder ./nowhere" in told.err
    history = (root / ".acclimate/fetch/history.jsonl").read_text()
    assert "secret" not in told.err + history
    assert [(row["source"], row.get("new")) for row in read_jsonl(root / ".acclimate/fetch/history.jsonl")] == [
        ("lost", None),
        ("pairs", 1),
        ("nowhere", None),
    ]


def test_faults_of_the_libraries_below_do_not_keep_the_others_from_coming(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, website: Any
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    website.pages["/chinese"] = (200, {}, b"<?xml version='1.0' encoding='gb2312'?><rss/>")
    website.pages["/astray"] = (302, {"Location": "http://["}, b"")
    (root / "mixed").mkdir()
    for number, value in enumerate((1, {"year": 1})):
        (root / f"mixed/train-{number}.jsonl").write_text(json.dumps({"prompt": "x", "meta": value}) + "\n")
    broken: list[dict[str, Any]] = [
        {**NEWS, "name": "chinese", "url": f"{website.url}/chinese"},
        {**NEWS, "name": "astray", "url": f"{website.url}/astray"},
        {**PAIRS, "name": "mixed", "dataset": "./mixed"},
        {**PAPERS, "name": "minio", "endpoint_url": "http://my_minio:9000"},
    ]
    _configure(root, *broken, PAIRS)
    assert main(["fetch"]) == 2
    assert [line.split(",")[0] for line in capsys.readouterr().out.splitlines()] == [
        "chinese: failed",
        "astray: failed",
        "mixed: failed",
        "minio: failed",
        "pairs: 1 shards new",
    ]


def test_a_fault_that_may_pass_is_worth_another_try(
    root: Path, capsys: pytest.CaptureFixture[str], website: Any
) -> None:
    website.pages["/feed"] = (503, {}, b"")
    _configure(root, {**NEWS, "name": "news", "url": f"{website.url}/feed"})
    assert main(["fetch"]) == 1
    assert capsys.readouterr().err.startswith(f"acclimate fetch: source 'news': {website.url}/feed answers with status")


def test_two_at_once_are_refused(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _configure(root, PAIRS)
    with locked(inputs_lock(root)):
        assert main(["fetch"]) == 2
    assert "inputs/ is in use" in capsys.readouterr().err
    assert not (root / "inputs/fetched").exists()


def test_without_a_remote_source_nothing_happens(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _configure(root, PAIRS, {**GENERAL, "name": "law", "domain": "law"}, domain="law")
    assert main(["fetch"]) == 0
    assert capsys.readouterr().out == "no source of the domain 'law' is remote: nothing to fetch\n"
    assert not (root / ".acclimate").exists()
    assert main(["fetch", "--domain", "pottery"]) == 0
    assert (root / "inputs/fetched/pairs").exists()
    assert main(["fetch", "--domain", "art"]) == 2
    assert "no source has the domain 'art'" in capsys.readouterr().err


def test_a_source_of_files_does_not_read_what_was_fetched_for_another(root: Path) -> None:
    everything = {**GENERAL, "name": "everything", "domain": "pottery", "path": "inputs/**/*.jsonl"}
    _configure(root, PAIRS, everything)
    assert main(["fetch"]) == 0
    (root / "out").mkdir()
    params = load(root / "params.yaml").ingest
    report = ingest.run(params, inputs=root / "inputs", accepted=root / "accepted", out=root / "out")
    assert {count.name: count.files for count in report.sources} == {"pairs": 1, "everything": 1, "own": 1}


def test_every_kind_of_remote_source_has_its_way_of_being_fetched() -> None:
    assert set(fetch._FETCH) == {"s3", "huggingface", "feed"}
