"""What is read, in which order; buckets by a real server of the S3 protocol on loopback."""

from __future__ import annotations

import gzip
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from acclimate.core.errors import UserError
from acclimate.core.files import write_json
from acclimate.core.params import IngestLimits, with_changes
from acclimate.data.remote.mirror import Place
from acclimate.data.sources.content import Fault
from acclimate.release import transform as transform_module
from acclimate.release.transforming.series import Entry, Series, entries, of_bucket, of_file

KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "a-secret", "AWS_DEFAULT_REGION": "us-east-1"}
LIMITS = IngestLimits(max_file_mb=1, max_whole_mb=1, max_record_mb=0.5, max_expansion=100, max_members=10)


def read(series: Series) -> list[tuple[str, Any]]:
    """Origin and value, or reason."""
    found = list(entries(series, LIMITS))
    assert [entry.number for entry in found] == list(range(len(found)))
    return [(one.origin, one.found.reason if isinstance(one.found, Fault) else one.found.value) for one in found]


def test_records_of_a_packed_file_are_read_and_what_is_damaged_has_its_place(tmp_path: Path) -> None:
    packed = gzip.compress(b'{"a": 1}\n\nno\n{"a": 2}\n')
    (tmp_path / "x.jsonl.gz").write_bytes(packed)
    assert read(of_file(tmp_path / "x.jsonl.gz")) == [
        ("x.jsonl.gz:1", {"a": 1}),
        ("x.jsonl.gz:3", "not JSON"),
        ("x.jsonl.gz:4", {"a": 2}),
    ]
    (tmp_path / "x.parquet").write_bytes(b"PAR1 and nothing more")
    assert read(of_file(tmp_path / "x.parquet")) == [("x.parquet", "damaged file")]
    (tmp_path / "x.pdf").write_bytes(b"%PDF")
    assert read(of_file(tmp_path / "x.pdf")) == [("x.pdf", "unknown format")]


def test_another_content_is_another_identity(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"a": 1}\n', encoding="utf-8")
    before = of_file(tmp_path / "x.jsonl")
    assert (before.lines, of_file(tmp_path / "x.jsonl")) == (1, before)
    (tmp_path / "x.jsonl").write_text('{"a": 2}\n', encoding="utf-8")
    assert of_file(tmp_path / "x.jsonl").identity != before.identity
    with pytest.raises(UserError, match="is no file"):
        of_file(tmp_path)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Where an S3 server of its own process listens."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)]
    environment = {**os.environ, **KEYS}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
        process.kill()


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Any:
    """A bucket of the test's own, with three objects below in/ and one beside."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[:60].strip("-")
    made = boto3.resource("s3", endpoint_url=server).Bucket(name)
    made.create()
    for key, body in {
        "in/b.jsonl": b'{"a": 2}\n',
        "in/a.jsonl": b'{"a": 1}\n',
        "in/c.png": b"x",
        "d.jsonl": b"{}",
    }.items():
        made.put_object(Key=key, Body=body)
    return made


def place_of(folder: Path) -> Place:
    return Place(folder, folder / ".input", folder / ".fetch")


def test_the_objects_below_a_prefix_are_read_in_order_of_their_keys(server: str, bucket: Any, tmp_path: Path) -> None:
    series = of_bucket(f"s3://{bucket.name}/in/", place_of(tmp_path), server, LIMITS, again=False)
    at = f"s3://{bucket.name}/in"
    assert read(series) == [
        (f"{at}/a.jsonl:1", {"a": 1}),
        (f"{at}/b.jsonl:1", {"a": 2}),
        (f"{at}/c.png", "unknown format"),
    ]
    assert series.identity["objects"] == 3


def test_what_was_begun_goes_on_with_what_the_bucket_held_then(server: str, bucket: Any, tmp_path: Path) -> None:
    url = f"s3://{bucket.name}/in/"
    begun = of_bucket(url, place_of(tmp_path), server, LIMITS, again=False)
    bucket.put_object(Key="in/a.jsonl", Body=b'{"a": 9}\n')
    bucket.Object("in/b.jsonl").delete()
    again = of_bucket(url, place_of(tmp_path), server, LIMITS, again=True)
    assert (again, read(again)) == (begun, read(begun))
    (tmp_path / "new").mkdir()
    anew = of_bucket(url, place_of(tmp_path / "new"), server, LIMITS, again=False)
    assert anew.identity != begun.identity


def test_an_object_that_is_too_large_has_its_place_and_an_empty_prefix_is_a_mistake(
    server: str, bucket: Any, tmp_path: Path
) -> None:
    bucket.put_object(Key="large/x.jsonl", Body=b"x" * 1_000_001)
    series = of_bucket(f"s3://{bucket.name}/large/", place_of(tmp_path), server, LIMITS, again=False)
    assert read(series) == [(f"s3://{bucket.name}/large/x.jsonl", "file too large")]
    with pytest.raises(UserError, match="/nothing/ holds no object"):
        of_bucket(f"s3://{bucket.name}/nothing/", place_of(tmp_path), server, LIMITS, again=False)
    with pytest.raises(UserError, match="names no bucket"):
        of_bucket("s3://", place_of(tmp_path), server, LIMITS, again=False)


def test_when_all_is_answered_the_copy_is_removed_and_the_bucket_is_asked_no_more(
    server: str, bucket: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model is left out: what is answered does not matter here."""
    text = (Path(__file__).parents[3] / "params.yaml").read_text(encoding="utf-8")
    dials = {"transform.s3_endpoint_url": server, "transform.part_records": 2}
    (tmp_path / "params.yaml").write_text(with_changes(text, dials), encoding="utf-8")
    monkeypatch.setenv("ACCLIMATE_HOME", str(tmp_path))
    write_json(tmp_path / "packaged/manifest.json", {"model": "m", "version": "1", "sha256": "a" * 64})

    def answered(part: list[Entry], *_: object) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        return [{"record": entry.number, "prompt_tokens": 1, "new_tokens": 2} for entry in part], []

    monkeypatch.setattr(transform_module, "answered", answered)
    monkeypatch.setattr(transform_module, "_loaded", lambda *_: None)
    asked = (f"s3://{bucket.name}/in/", tmp_path / "out", str(tmp_path / "packaged"))
    said: list[str] = []
    done = transform_module.transform(*asked, say=said.append)
    assert (done["records"], done["new_tokens"], done["input"]["objects"]) == (3, 6, 3)
    assert said == ["2 records done", "3 records done"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        ".lock",
        "answers",
        "manifest.json",
        "rejected",
    ]
    for found in bucket.objects.all():
        found.delete()
    assert transform_module.transform(*asked, say=said.append) == done
