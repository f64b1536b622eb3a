"""The contents of a file: itself, unpacked if it is packed, or the members of an archive one by one.

.gz, .zst, .zip, .tar, .tar.gz, .tgz and .tar.zst are read as streams; nothing is written to disk. A member whose
name leads elsewhere is refused all the same: such an archive was not made in good faith.
"""

from __future__ import annotations

import gzip
import io
import re
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from acclimate.core.params import IngestLimits
from acclimate.data.sources.content import DAMAGE, Budget, Content, Fault, Metered, UnreadableError, damaged, is_utf8

PACKED = (".gz", ".zst")
_ABSOLUTE = re.compile(r"/|[A-Za-z]:")
_NESTED = (*PACKED, ".tgz", ".tar", ".zip", ".7z", ".rar", ".bz2", ".xz")


def contents(path: Path, origin: str, members: str | None, limits: IngestLimits) -> Iterator[Content | Fault]:
    """The file's content, or its members' in the archive's order; each is read before the next is asked for.

    Args:
        path: a file.
        origin: what it is called in rejects.
        members: a pattern; of an archive only the members it matches are read.
        limits: beyond which it is refused.

    Raises:
        UnreadableError: if the file is damaged, or unpacks to more than the limits allow.
    """
    budget = Budget(limits, path.stat().st_size)
    if path.suffix.lower() == ".zip":
        yield from _zip_members(path, origin, members, limits, budget)
        return
    with _unpacked(path, budget) as stream:
        name = path.name[: -len(path.suffix)] if path.suffix.lower() in PACKED else path.name
        if name.lower().endswith((".tar", ".tgz")):
            yield from _tar_members(stream, origin, members, limits)
        else:
            plain = path if name == path.name else None
            yield Content(origin, name, stream, limits, plain)


@contextmanager
def _unpacked(path: Path, budget: Budget) -> Iterator[BinaryIO]:
    import pyarrow as pa

    suffix = path.suffix.lower()
    opened: gzip.GzipFile | pa.NativeFile | BinaryIO
    try:
        if suffix in (".gz", ".tgz"):
            opened = gzip.open(path)  # noqa: SIM115  # closed below
        elif suffix == ".zst":
            opened = pa.input_stream(str(path), compression="zstd")
        else:
            opened = path.open("rb", buffering=0)
    except OSError as fault:
        raise damaged(fault, whole_file=True) from None
    with opened:
        yield io.BufferedReader(Metered(opened.read, budget), 1 << 18)


def _tar_members(stream: BinaryIO, origin: str, members: str | None, limits: IngestLimits) -> Iterator[Content | Fault]:
    count = 0
    try:
        # "r|": from front to back, never seeking.
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            while (entry := archive.next()) is not None:
                count += 1
                _require_few(count, limits)
                archive.members = []  # type: ignore[attr-defined]  # tarfile remembers every header otherwise
                if entry.isdir() or not _wanted(entry.name, members):
                    continue
                fault = _unsafe(entry.name) or ("" if entry.isreg() and not entry.issparse() else "no regular file")
                opened = None if fault else archive.extractfile(entry)
                if opened is None:
                    yield _refused(entry.name, fault)
                else:
                    # Read through the whole archive's stream, whose bytes are counted already.
                    body = io.BufferedReader(Metered(opened.read, None))
                    yield Content(f"{origin}!{entry.name}", entry.name, body, limits)
    except DAMAGE as broken:
        raise damaged(broken, whole_file=True) from None


def _zip_members(
    path: Path, origin: str, members: str | None, limits: IngestLimits, budget: Budget
) -> Iterator[Content | Fault]:
    try:
        archive = zipfile.ZipFile(path)
    except DAMAGE as broken:
        raise damaged(broken, whole_file=True) from None
    with archive:
        _require_few(len(archive.infolist()), limits)
        for entry in archive.infolist():
            if entry.is_dir() or not _wanted(entry.filename, members):
                continue
            fault = _unsafe(entry.filename) or _irregular(entry)
            if fault:
                yield _refused(entry.filename, fault)
                continue
            try:
                opened = archive.open(entry)
            except DAMAGE as broken:
                yield Fault(f"!{entry.filename}", "damaged file", damaged(broken).detail)
                continue
            with opened:
                # One member's checksum says nothing about the next member.
                body = io.BufferedReader(Metered(opened.read, budget, whole_file=False), 1 << 18)
                yield Content(f"{origin}!{entry.filename}", entry.filename, body, limits)


def _require_few(count: int, limits: IngestLimits) -> None:
    if count > limits.max_members:
        detail = f"more than {limits.max_members:,} (ingest.limits.max_members)"
        raise UnreadableError("too many members", detail, whole_file=True)


def _wanted(name: str, members: str | None) -> bool:
    return members is None or fnmatchcase(name, members)


def _unsafe(name: str) -> str:
    """Why a member of this name is not read; '' if it may be."""
    if not is_utf8(name):
        return "name is not UTF-8"
    parts = PurePosixPath(name).parts
    if _ABSOLUTE.match(name) or "\\" in name or ".." in parts:
        return "unsafe name in an archive"
    return "archive inside an archive" if name.lower().endswith(_NESTED) else ""


def _irregular(entry: zipfile.ZipInfo) -> str:
    mode = entry.external_attr >> 16
    if entry.flag_bits & 0x1:
        return "encrypted"
    return "" if stat.S_IFMT(mode) in (0, stat.S_IFREG) else "no regular file"


_DETAILS = {
    "name is not UTF-8": "pack the file under a name that is",
    "unsafe name in an archive": "absolute, or leads out of the archive",
    "archive inside an archive": "unpack it and put its files into inputs/",
    "no regular file": "a link, a device or a sparse file",
    "encrypted": "no password is ever asked for",
}


def _refused(name: str, reason: str) -> Fault:
    return Fault(f"!{name}", reason, _DETAILS[reason])
