"""Files below inputs/ as documents: found, unpacked, read and mapped, one record at a time.

    {"text": "The valve closes at 4 bar."}
    {"question": "When does the valve close?", "answer": "At 4 bar.", "context": "…", "group": "valve-7"}

What cannot be read is a Reject with its file, its line or member and the reason; everything else counts. What a
damaged file gave before the damage counts, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from acclimate.core.params import IngestLimits, Reading
from acclimate.core.records import Document, Reject
from acclimate.data.sources.archives import contents
from acclimate.data.sources.content import Content, Fault, UnreadableError
from acclimate.data.sources.discover import matching_files
from acclimate.data.sources.formats import TYPED, WHOLE_TEXTS, format_of, read_records
from acclimate.data.sources.mapping import located, reject, to_document


class Opened(NamedTuple):
    """A file, or a member of an archive, whose records follow."""

    origin: str


class Located(NamedTuple):
    """A document and where it stands: 'inputs/manuals.zip!valve.jsonl:12'."""

    origin: str
    document: Document


def read_files(
    source: Reading, pattern: str, inputs: Path, limits: IngestLimits
) -> Iterator[Opened | Located | Reject]:
    """Each record of the source's files, in order of file name, as a document or as the reason why it is none.

    Before the records of a file, or of a member of an archive, it is Opened.

    Args:
        source: whose documents they are, and how its files are read.
        pattern: which files, as a glob relative to `inputs`.
        inputs: the folder that origins begin with.
        limits: what a file may cost.

    Raises:
        UserError: if no file matches, or the pattern leads out of `inputs`.
    """
    for path in matching_files(source, pattern, inputs):
        if isinstance(path, Fault):
            yield reject(path, f"{inputs.name}/", source.name)
        else:
            yield from read_file(source, path, f"{inputs.name}/{path.relative_to(inputs).as_posix()}", limits)


def read_file(source: Reading, path: Path, origin: str, limits: IngestLimits) -> Iterator[Opened | Located | Reject]:
    """Each record of one file or archive, as read_files gives it."""
    try:
        for content in contents(path, origin, source.members, limits):
            if isinstance(content, Fault):
                yield reject(content, origin, source.name)
            else:
                yield Opened(content.origin)
                yield from _documents(source, content)
    except UnreadableError as fault:
        yield reject(Fault("", fault.reason, fault.detail), origin, source.name)


def _documents(source: Reading, content: Content) -> Iterator[Opened | Located | Reject]:
    try:
        format_ = format_of(content, source)
        for raw in read_records(content, source, format_):
            made = (
                raw
                if isinstance(raw, Fault)
                else to_document(raw, content, source, typed=format_ in TYPED, whole_text=format_ in WHOLE_TEXTS)
            )
            if isinstance(made, Fault):
                yield reject(made, content.origin, source.name)
            else:
                yield Located(located(content.origin, raw.where), made)
    except UnreadableError as fault:
        if fault.whole_file:
            raise
        yield reject(Fault("", fault.reason, fault.detail), content.origin, source.name)
