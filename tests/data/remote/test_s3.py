"""The source `s3` against a real server of the S3 protocol on loopback."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.core.errors import UserError
from acclimate.core.files import read_json
from acclimate.core.params import S3Source
from acclimate.data.remote import s3
from acclimate.data.remote.faults import UnreachableError
from acclimate.data.remote.mirror import Fetched, Place
from acclimate.data.remote.s3 import file_name

Tree = Callable[[Place], dict[str, tuple[bytes, int, int]]]
KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "a-secret", "AWS_DEFAULT_REGION": "us-east-1"}
KILLED = """
import sys
from pathlib import Path
from acclimate.core.params import S3Source
from acclimate.data.remote import s3
from acclimate.data.remote.mirror import Place
s3.fetch(S3Source.model_validate_json(sys.argv[1]), Place.of(Path(sys.argv[2]), "shelf"))
"""


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """Where an S3 server of its own process listens."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env={**os.environ, **KEYS}, **quiet) as server:  # type: ignore[call-overload]
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and server.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
        server.kill()


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Any:
    """A bucket of the test's own."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[:60].strip("-")
    made = boto3.resource("s3", endpoint_url=endpoint).Bucket(name)
    made.create()
    return made


def _source(endpoint: str, bucket: Any, **settings: Any) -> S3Source:
    given = {"kind": "s3", "name": "shelf", "domain": "pottery", "licence": "CC0-1.0", "endpoint_url": endpoint}
    return S3Source.model_validate({**given, "bucket": getattr(bucket, "name", bucket), **settings})


def _put(bucket: Any, **contents: str) -> None:
    for key, text in contents.items():
        bucket.put_object(Key=f"docs/{key}.txt", Body=text.encode())


def _content(place: Place) -> dict[str, bytes]:
    items = read_json(place.mirror / ".manifest.json")["items"]
    return {key: (place.mirror / item["file"]).read_bytes() for key, item in items.items()}


def test_only_what_is_new_or_changed_is_read_and_what_is_gone_becomes_a_tombstone(
    endpoint: str, bucket: Any, place: Place
) -> None:
    source = _source(endpoint, bucket, prefix="docs/", match="*.txt")
    _put(bucket, a="1", b="22", c="333")
    bucket.put_object(Key="docs/picture.png", Body=b"x")
    bucket.put_object(Key="docs/folder/", Body=b"")
    assert s3.fetch(source, place) == Fetched("objects", new=3, bytes=6)
    _put(bucket, b="2!", c="333", d="4")
    bucket.Object("docs/a.txt").delete()
    assert s3.fetch(source, place) == Fetched("objects", new=1, changed=1, unchanged=1, removed=1, bytes=3)
    assert _content(place) == {"docs/b.txt": b"2!", "docs/c.txt": b"333", "docs/d.txt": b"4"}
    assert list(read_json(place.mirror / ".manifest.json")["removed"]) == ["docs/a.txt"]
    _put(bucket, a="1")
    s3.fetch(source, place)
    assert read_json(place.mirror / ".manifest.json")["removed"] == {}


def test_with_nothing_new_nothing_is_read_and_no_byte_changes(
    endpoint: str, bucket: Any, place: Place, tree: Tree
) -> None:
    _put(bucket, a="1", b="2")
    s3.fetch(_source(endpoint, bucket), place)
    before = tree(place)
    _put(bucket, a="1")  # the same again: a new time, the same ETag
    assert s3.fetch(_source(endpoint, bucket), place) == Fetched("objects", unchanged=2)
    assert tree(place) == before


def test_a_key_that_leads_anywhere_stays_in_the_mirror(endpoint: str, bucket: Any, place: Place) -> None:
    keys = ["a/../../../escape.txt", "/etc/passwd", "x" * 900, ".manifest.json", "ünï\u202egpj.txt", "A.txt", "a.txt"]
    for key in keys:
        bucket.put_object(Key=key, Body=key.encode())
    s3.fetch(_source(endpoint, bucket), place)
    assert _content(place) == {key: key.encode() for key in keys}
    outside = [path for path in place.root.rglob("*") if path.is_file() and path.parent != place.mirror]
    assert outside == []


def test_an_object_that_is_too_large_is_refused_by_name_and_the_others_come(
    endpoint: str, bucket: Any, place: Place
) -> None:
    _put(bucket, small="1", large="x" * 1_000_001)
    assert s3.fetch(_source(endpoint, bucket, max_mb=1), place) == Fetched("objects", new=1, refused=1, bytes=1)
    refused = read_json(place.mirror / ".manifest.json")["refused"]
    assert refused == {"docs/large.txt": "1000001 bytes, more than max_mb: 1"}


def test_an_object_that_outgrew_the_limit_is_refused_and_not_told_as_gone(
    endpoint: str, bucket: Any, place: Place
) -> None:
    source = _source(endpoint, bucket, max_mb=1)
    _put(bucket, a="1", b="2")
    s3.fetch(source, place)
    _put(bucket, b="x" * 1_000_001)
    assert s3.fetch(source, place) == Fetched("objects", unchanged=1, refused=1)
    manifest = read_json(place.mirror / ".manifest.json")
    assert (list(manifest["refused"]), manifest["removed"]) == (["docs/b.txt"], {})


def test_what_becomes_of_an_object_after_it_was_listed_is_told_as_it_is(
    endpoint: str, bucket: Any, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = _source(endpoint, bucket, max_mb=1)
    _put(bucket, grows="1", goes="2")
    s3.fetch(source, place)
    _put(bucket, grows="1!", goes="2!")
    really_listed = s3._listed

    def listed(*given: Any) -> Any:
        found = really_listed(*given)
        _put(bucket, grows="x" * 1_000_001)
        bucket.Object("docs/goes.txt").delete()
        return found

    monkeypatch.setattr(s3, "_listed", listed)
    assert s3.fetch(source, place) == Fetched("objects", removed=1, refused=1)
    manifest = read_json(place.mirror / ".manifest.json")
    assert manifest["refused"] == {"docs/grows.txt": "1000001 bytes, more than max_mb: 1"}
    assert list(manifest["removed"]) == ["docs/goes.txt"]


def test_what_is_no_longer_asked_for_is_not_told_as_gone(endpoint: str, bucket: Any, place: Place) -> None:
    _put(bucket, a="1", b="2")
    s3.fetch(_source(endpoint, bucket), place)
    assert s3.fetch(_source(endpoint, bucket, match="*a.txt"), place) == Fetched("objects", unchanged=1, removed=1)
    assert read_json(place.mirror / ".manifest.json")["removed"] == {}


def test_a_mirror_that_a_kill_left_aside_is_back_even_if_the_fetch_fails(
    endpoint: str, bucket: Any, place: Place
) -> None:
    _put(bucket, a="1")
    s3.fetch(_source(endpoint, bucket), place)
    place.mirror.rename(place.work / "previous")
    with pytest.raises(UserError, match="there is no such bucket"):
        s3.fetch(_source(endpoint, "no-such"), place)
    assert _content(place) == {"docs/a.txt": b"1"}


def test_killed_half_way_it_goes_on_and_ends_like_an_undisturbed_one(
    endpoint: str, bucket: Any, place: Place, tmp_path: Path
) -> None:
    texts = {f"n{i}": f"object {i}" for i in range(60)}
    _put(bucket, **texts)
    source = _source(endpoint, bucket)
    process = subprocess.Popen([sys.executable, "-c", KILLED, source.model_dump_json(), str(place.root)])
    downloads = place.work / "downloads"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (downloads.exists() and len(list(downloads.iterdir())) >= 12):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not place.mirror.exists()
    had = len([path for path in downloads.iterdir() if path.suffix != ".partial"])
    assert had > 0
    assert s3.fetch(source, place).new == 60
    assert _content(place) == {f"docs/{key}.txt": text.encode() for key, text in texts.items()}
    undisturbed = Place.of(tmp_path / "other", "shelf")
    undisturbed.root.mkdir()
    s3.fetch(source, undisturbed)
    files = {path.name: path.read_bytes() for path in undisturbed.mirror.iterdir()}
    assert {path.name: path.read_bytes() for path in place.mirror.iterdir()} == files
    assert not downloads.exists()


def test_a_download_that_was_whole_before_the_kill_is_not_read_again(
    endpoint: str, bucket: Any, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    _put(bucket, a="1", b="2")
    source = _source(endpoint, bucket)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(s3, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            s3.fetch(source, place)
    for path in (place.work / "downloads").iterdir():
        path.write_text("!")  # as long as before, so that whoever reads it again is found out
    s3.fetch(source, place)
    assert set(_content(place).values()) == {b"!"}


def test_a_bucket_that_is_not_there_stays_away_and_names_no_secret(endpoint: str, bucket: Any, place: Place) -> None:
    with pytest.raises(UserError, match=rf"s3://no-such/ at {endpoint}: there is no such bucket") as told:
        s3.fetch(_source(endpoint, "no-such"), place)
    assert not isinstance(told.value, UnreachableError)
    assert KEYS["AWS_SECRET_ACCESS_KEY"] not in str(told.value)


def test_wrong_credentials_and_none_are_told_apart(
    endpoint: str, bucket: Any, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check_credentials(after: bytes) -> None:
        plain = {"Content-Type": "text/plain"}
        urllib.request.urlopen(urllib.request.Request(f"{endpoint}/moto-api/reset-auth", after, plain)).close()

    check_credentials(b"0")
    try:
        with pytest.raises(UserError, match=r"refused \(InvalidAccessKeyId\)"):
            s3.fetch(_source(endpoint, bucket), place)
    finally:
        check_credentials(b"inf")
    for name in KEYS:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    with pytest.raises(UserError, match="no credentials in the environment"):
        s3.fetch(_source(endpoint, bucket), place)


def test_an_endpoint_that_is_busy_is_worth_another_try_and_another_fault_is_not(
    bucket: Any, place: Place, website: Any
) -> None:
    slow = b"<Error><Code>SlowDown</Code><Message>later</Message></Error>"
    for status, kind in ((503, UnreachableError), (400, UserError)):
        website.otherwise = (status, {}, slow)
        with pytest.raises(UserError, match=rf"SlowDown \(status {status}\)") as fault:
            s3.fetch(_source(website.url, bucket), place)
        assert type(fault.value) is kind


def test_an_endpoint_that_boto3_does_not_take_is_a_fault_of_its_source(bucket: Any, place: Place) -> None:
    with pytest.raises(UserError, match="at http://my_minio:9000: boto3 cannot use this endpoint"):
        s3.fetch(_source("http://my_minio:9000", bucket), place)


def test_a_region_that_cannot_be_is_not_blamed_on_the_endpoint(
    bucket: Any, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "no region")
    with pytest.raises(UserError, match="InvalidRegionError"):
        s3.fetch(_source("http://127.0.0.1:9", bucket), place)


def test_an_endpoint_that_does_not_answer_may_do_so_later(bucket: Any, place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(UnreachableError, match=r"no whole answer \(EndpointConnectionError\)"):
        s3.fetch(_source(f"http://127.0.0.1:{port}", bucket), place)


@given(st.text(min_size=1, max_size=300), st.text(min_size=1, max_size=300))
def test_a_file_name_is_plain_short_and_its_keys_own(one: str, other: str) -> None:
    name = file_name(one)
    assert re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9]{1,8}){0,2}", name)
    assert len(name) < 120
    assert (name.lower() == file_name(other).lower()) == (one == other)


def test_a_file_name_keeps_what_tells_the_format() -> None:
    assert re.fullmatch(r"part-1-[0-9a-f]{16}\.jsonl\.gz", file_name("2026/part 1.jsonl.gz"))
    assert re.fullmatch(r"v1-2-notes-[0-9a-f]{16}\.tar\.zst", file_name("v1.2.notes.tar.zst"))
    assert re.fullmatch(r"hidden-[0-9a-f]{16}\.jsonl", file_name("2026/.hidden.jsonl"))
    assert re.fullmatch(r"hidden-[0-9a-f]{16}", file_name(".hidden"))
