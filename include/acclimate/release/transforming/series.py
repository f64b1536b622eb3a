"""What is to be answered, as one series of records: those of a file, or of the objects below a prefix of a bucket.

    0  questions.jsonl:1                   {"id": "q-17", "question": "What does numpy.argsort do?"}
    1  s3://shelf/2026/more.parquet:row 1  {"prompt": "numpy.argsort"}

A record that cannot be read has its place in the series, too. So a record's number is the same whenever the series is
read, and so is what comes behind it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from acclimate.core.errors import UserError
from acclimate.core.files import sha256
from acclimate.core.params import IngestLimits, Reading, S3Source
from acclimate.data.remote.mirror import Place, present
from acclimate.data.remote.s3 import fetch
from acclimate.data.sources.archives import contents
from acclimate.data.sources.content import Content, Fault, Raw, UnreadableError
from acclimate.data.sources.formats import format_of, read_records
from acclimate.data.sources.mapping import located

FORMATS = ("jsonl", "parquet", "csv", "tsv")
"""Of records, and read a few at a time; packed ones too."""
_BUCKET = re.compile(r"s3://(?P<bucket>[A-Za-z0-9._-]{3,255})/?(?P<prefix>.*)")
_READING = Reading(name="transform", domain="transform", licence="none")
"""Where a record goes is for the transform to say: what is read of a file follows from its name alone."""


class Entry(NamedTuple):
    """A record of the series, or why there is none in its place."""

    number: int
    origin: str
    found: Raw | Fault


@dataclass(frozen=True)
class Series:
    """The files that are read one after the other."""

    identity: dict[str, Any]
    """Where they are from, and what stands for their content: another content, another identity."""
    files: dict[str, Path]
    """What each is called in origins, and where it is."""
    refused: dict[str, str] = field(default_factory=dict)
    """What is not read, and why."""
    lines: int | None = None
    """About how many records there are, where that is known beforehand."""


def of_file(path: Path) -> Series:
    """The series of one file.

    Raises:
        UserError: if it is not there.
    """
    if not path.is_file():
        raise UserError(
            f"{path} is no file",
            why="there is nothing to answer",
            fix="name a file of records (.jsonl, .parquet), or s3://bucket/prefix",
        )
    lines = _lines(path) if path.suffix == ".jsonl" else None
    return Series({"from": path.name, "sha256": sha256(path)}, {path.name: path}, lines=lines)


def of_bucket(url: str, place: Place, endpoint_url: str | None, limits: IngestLimits, *, again: bool) -> Series:
    """The series of all objects below s3://bucket/prefix, in order of their keys.

    They are copied to `place` first. With `again`, for a transform that was begun before, a copy that is there is
    what is read, whatever the bucket holds by now.

    Raises:
        UserError: if the address is none, or the bucket cannot be read, or holds nothing there.
    """
    if (parts := _BUCKET.fullmatch(url)) is None:
        raise UserError(f"{url} names no bucket", why="there is nothing to read", fix="give s3://bucket/prefix")
    mirrored = present(place) if again else None
    if mirrored is None:
        fetch(_source(parts["bucket"], parts["prefix"], endpoint_url, limits), place)
        mirrored = present(place)
    assert mirrored is not None, "a fetch leaves a mirror, or raises"
    origin = f"s3://{parts['bucket']}/"
    if not mirrored.items and not mirrored.refused:
        raise UserError(f"{url} holds no object", why="there is nothing to answer", fix="mend the prefix")
    versions = [f"{key}\0{item.version}\n" for key, item in mirrored.items.items()]
    digest = hashlib.sha256("".join([*versions, *mirrored.refused]).encode()).hexdigest()
    files = {f"{origin}{key}": place.mirror / item.file for key, item in mirrored.items.items()}
    refused = {f"{origin}{key}": reason for key, reason in mirrored.refused.items()}
    return Series({"from": url, "objects": len(files) + len(refused), "sha256": digest}, files, refused)


def entries(series: Series, limits: IngestLimits) -> Iterator[Entry]:
    """Every record of the series with its number, from 0."""
    for number, (origin, found) in enumerate(_all(series, limits)):
        yield Entry(number, located(origin, found.where), found)


def _all(series: Series, limits: IngestLimits) -> Iterator[tuple[str, Raw | Fault]]:
    for origin, path in series.files.items():
        try:
            for content in contents(path, origin, None, limits):
                if isinstance(content, Fault):
                    yield origin, content
                else:
                    yield from ((content.origin, found) for found in _of_content(content))
        except UnreadableError as fault:
            yield origin, Fault("", fault.reason, fault.detail)
    for origin, reason in series.refused.items():
        yield origin, Fault("", "file too large", reason)


def _of_content(content: Content) -> Iterator[Raw | Fault]:
    try:
        format_ = format_of(content, _READING)
        if format_ not in FORMATS:
            raise UnreadableError("unknown format", f"{format_}; only {', '.join(FORMATS)} are read")
        yield from read_records(content, _READING, format_)
    except UnreadableError as fault:
        if fault.whole_file:
            raise
        yield Fault("", fault.reason, fault.detail)


def _source(bucket: str, prefix: str, endpoint_url: str | None, limits: IngestLimits) -> S3Source:
    where = {"bucket": bucket, "prefix": prefix, "endpoint_url": endpoint_url, "max_mb": limits.max_file_mb}
    return S3Source.model_validate(
        {"kind": "s3", **_READING.model_dump(include={"name", "domain", "licence"}), **where}
    )


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
