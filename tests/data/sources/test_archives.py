"""Packed files: read through, never unpacked to disk; what is dangerous or damaged is one reject with its reason."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from acclimate.core.records import Document, Reject

Read = Callable[..., tuple[list[Document], list[Reject]]]

LINE = b'{"text": "The valve closes."}\n'


def _framed(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as packed:
        packed.write(content)
    return bytes(sink.getvalue())


def _tar(members: dict[str, bytes], **special: Any) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        for name, kind in special.items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, "/etc/passwd"
            archive.addfile(entry)
    return made.getvalue()


def _zip(members: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return made.getvalue()


MEMBERS = {"b/x.jsonl": LINE, "a.txt": b"Plain words."}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("all.zip", _zip(MEMBERS)),
        ("all.tar", _tar(MEMBERS)),
        ("all.tar.gz", gzip.compress(_tar(MEMBERS))),
        ("all.tgz", gzip.compress(_tar(MEMBERS))),
        ("all.tar.zst", _framed(_tar(MEMBERS))),
    ],
)
def test_members_are_read_in_the_archives_order_and_nothing_is_unpacked_to_disk(
    tmp_path: Path, read: Read, name: str, content: bytes
) -> None:
    documents, rejects = read({name: content})
    assert [document.text for document in documents] == ["The valve closes.", "Plain words."]
    assert rejects == []
    assert [path.name for path in (tmp_path / "inputs").iterdir()] == [name]


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".zst", _framed)])
def test_a_packed_file_is_what_its_name_without_the_packing_says_even_in_several_frames(
    read: Read, suffix: str, pack: Callable[[bytes], bytes]
) -> None:
    documents, rejects = read({f"x.jsonl{suffix}": pack(LINE) + pack(b'{"text": "It opens."}')})
    assert [document.text for document in documents] == ["The valve closes.", "It opens."]
    assert rejects == []


def test_members_can_be_chosen(read: Read) -> None:
    documents, rejects = read({"all.zip": _zip({**MEMBERS, "README": b"?"})}, members="*.txt")
    assert [document.text for document in documents] == ["Plain words."]
    assert rejects == []


def test_a_reject_names_archive_member_and_line(read: Read) -> None:
    _, [rejected] = read({"all.zip": _zip({"b/x.jsonl": LINE + b"{\n"})})
    assert rejected.origin == "inputs/all.zip!b/x.jsonl:2"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../up.txt", "unsafe name in an archive"),
        ("a/../../up.txt", "unsafe name in an archive"),
        ("/etc/passwd.txt", "unsafe name in an archive"),
        ("C:/up.txt", "unsafe name in an archive"),
        ("a\\..\\up.txt", "unsafe name in an archive"),
        ("inner.zip", "archive inside an archive"),
        ("inner.tar", "archive inside an archive"),
        ("inner.jsonl.gz", "archive inside an archive"),
        ("README", "unknown format"),
    ],
)
@pytest.mark.parametrize(("suffix", "pack"), [(".zip", _zip), (".tar", _tar)])
def test_a_member_that_is_not_read_is_rejected_and_the_others_count(
    read: Read, suffix: str, pack: Callable[[dict[str, bytes]], bytes], name: str, reason: str
) -> None:
    documents, [rejected] = read({f"all{suffix}": pack({name: b"?", "good.txt": b"Plain words."})})
    assert (rejected.origin, rejected.reason) == (f"inputs/all{suffix}!{name}", reason)
    assert len(documents) == 1


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_a_link_or_a_device_in_a_tar_is_no_file(read: Read, kind: bytes) -> None:
    documents, [rejected] = read({"all.tar": _tar(MEMBERS, link=kind)})
    assert (rejected.origin, rejected.reason) == ("inputs/all.tar!link", "no regular file")
    assert len(documents) == 2


def test_a_link_in_a_zip_is_no_file(read: Read) -> None:
    entry = zipfile.ZipInfo("link.txt")
    entry.create_system, entry.external_attr = 3, 0o120777 << 16
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    _, [rejected] = read({"all.zip": made.getvalue()})
    assert rejected.reason == "no regular file"


def test_an_encrypted_member_is_rejected(read: Read) -> None:
    content = bytearray(_zip({"a.txt": b"Plain words."}))
    content[6] |= 1  # the flag in the member's own header …
    content[content.index(b"PK\x01\x02") + 8] |= 1  # … and in the directory at the end
    _, [rejected] = read({"all.zip": bytes(content)})
    assert (rejected.origin, rejected.reason) == ("inputs/all.zip!a.txt", "encrypted")


BOMB = b"0" * 40_000_000


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("bomb.txt.gz", gzip.compress(BOMB)),
        ("bomb.jsonl.zst", _framed(BOMB)),
        ("bomb.zip", _zip({"bomb.txt": BOMB})),
        ("bomb.tar.gz", gzip.compress(_tar({"bomb.txt": BOMB}))),
    ],
)
def test_a_decompression_bomb_is_one_reject(read: Read, name: str, content: bytes) -> None:
    documents, [rejected] = read({name: content, "good.txt": b"Plain words."}, max_whole_mb=50)
    assert (rejected.origin, rejected.reason) == (f"inputs/{name}", "decompression bomb")
    assert len(documents) == 1


def test_what_unpacks_to_more_than_a_file_may_be_is_refused(read: Read) -> None:
    lines = b"".join(b'{"text": "%d %s"}\n' % (number, b"words " * 50) for number in range(5_000))
    documents, rejects = read({"long.jsonl.gz": gzip.compress(lines)}, max_file_mb=1)
    assert [rejected.reason for rejected in rejects] == ["file too large"]
    assert "max_file_mb" in rejects[0].detail
    assert 0 < len(documents) < 5_000, "what was read before counts"


def test_too_many_members_are_refused(read: Read) -> None:
    for name, pack in (("all.zip", _zip), ("all.tar", _tar)):
        _, rejects = read({name: pack({f"{number}.txt": b"x" for number in range(10)})}, path=f"inputs/{name}")
        assert [rejected.reason for rejected in rejects] == ["too many members"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("half.jsonl.gz", gzip.compress(LINE * 1000)[:-20]),
        ("half.jsonl.zst", _framed(LINE * 1000)[:-5]),
        ("none.jsonl.gz", b"no gzip"),
        ("none.jsonl.zst", b"no zstd"),
        ("none.zip", b"no zip"),
        ("half.zip", _zip(MEMBERS)[:-30]),
        ("none.tar", b"no tar" * 200),
        ("half.tar", _tar({"long.txt": b"words " * 1000})[:3000]),
        ("half.tar.gz", gzip.compress(_tar({"long.txt": bytes(range(256)) * 40}))[:200]),
    ],
)
def test_a_damaged_file_is_one_reject_and_the_others_count(read: Read, name: str, content: bytes) -> None:
    documents, rejects = read({name: content, "zz.txt": b"Plain words."})
    assert [(rejected.reason, rejected.origin.partition("!")[0]) for rejected in rejects] == [
        ("damaged file", f"inputs/{name}")
    ]
    assert rejects[0].detail
    assert documents[-1].text == "Plain words."


def test_a_member_with_a_wrong_checksum_costs_only_itself(read: Read) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("a.txt", b"Plain words.")
        archive.writestr("b.txt", b"Other words.")
    documents, [rejected] = read({"all.zip": made.getvalue().replace(b"Plain", b"Plane", 1)})
    assert (rejected.origin, rejected.reason) == ("inputs/all.zip!a.txt", "damaged file")
    assert [document.text for document in documents] == ["Other words."]


def test_a_member_whose_name_is_not_utf8_is_one_reject_that_can_be_written(read: Read) -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", encoding="latin-1", format=tarfile.GNU_FORMAT) as archive:
        for name in ("r\u00e9sum\u00e9.txt", "valve.txt"):
            entry = tarfile.TarInfo(name)
            entry.size = 5
            archive.addfile(entry, io.BytesIO(b"Words"))
    documents, [rejected] = read({"all.tar": made.getvalue()})
    assert (rejected.origin, rejected.reason) == (r"inputs/all.tar!r\udce9sum\udce9.txt", "name is not UTF-8")
    assert rejected.origin.encode()
    assert [document.text for document in documents] == ["Words"]
