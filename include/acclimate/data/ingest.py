"""Read the documents of every source of the domain and of general text.

    acclimate ingest      # params.yaml: ingest → artifacts/ingest/documents/, manifest.parquet, tombstones.jsonl

A source is the documentation of installed packages (python_docs.py) or files below inputs/ (file_source.py). Records
are read and written one after the other; what is remembered of each is its id. The manifest says which records
there are; against the one in accepted/, a record is new, changed, unchanged or removed.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, astuple, dataclass, field
from pathlib import Path
from typing import TextIO

from acclimate.core.corpus import PART_CHARACTERS, PartWriter
from acclimate.core.errors import UserError
from acclimate.core.files import write_jsonl
from acclimate.core.params import AnySource, IngestParams, PythonDocsSource
from acclimate.core.progress import progress
from acclimate.core.records import Document, Reject, document_schema
from acclimate.core.reports import Funnel
from acclimate.data.sources import manifest, python_docs
from acclimate.data.sources.file_source import Located, Opened, read_files
from acclimate.data.sources.manifest import Changes, ManifestWriter

_MEAN_PART_CHARACTERS = PART_CHARACTERS // 2
"""So that a part seldom ends because it is full: that end would depend on what comes before."""


@dataclass(frozen=True)
class SourceCount:
    """What one source contributed."""

    name: str
    domain: str
    documents: int
    pairs: int
    bytes: int
    """Of text, in UTF-8, pairs included."""
    rejected: int
    versions: dict[str, str]
    """Of the packages read; empty for files."""
    files: int
    """Files and members of archives that were read; 0 for packages."""


@dataclass(frozen=True)
class IngestReport:
    """What was read, by source."""

    domain: str
    sources: list[SourceCount]
    funnel: Funnel
    changes: dict[str, Changes]
    """Source to how its records differ from those accepted last; without such, all are new."""

    def headline(self) -> str:
        """'15.0 MB from 2 sources: 26,865 in, 26,842 out (same text from the same source 23)'.

        Where an earlier corpus was accepted: '…; 12 new, 3 changed since the accepted corpus'.
        """
        megabytes = sum(source.bytes for source in self.sources) / 1e6
        moved = Changes(*map(sum, zip(*(astuple(one) for one in self.changes.values()), strict=True)))
        # Where all is new, nothing was accepted.
        since = f"; {moved.sentence()} since the accepted corpus" if moved.new < self.funnel.records_out else ""
        return f"{megabytes:.1f} MB from {len(self.sources)} sources: {self.funnel.sentence()}{since}"


@dataclass
class _Tally:
    """What has been read of one source so far."""

    documents: int = 0
    pairs: int = 0
    bytes: int = 0
    files: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    first_reject: Reject | None = None

    def add(self, record: Opened | Located | Reject) -> None:
        """Count a file, a record, or the reason why it is none."""
        if isinstance(record, Opened):
            self.files += 1
            return
        if isinstance(record, Reject):
            self.rejected[record.reason] += 1
            self.first_reject = self.first_reject or record
            return
        is_pair = record.document.type == "qa_pair"
        self.pairs += is_pair
        self.documents += not is_pair
        self.bytes += len(record.document.text.encode())


def run(params: IngestParams, *, inputs: Path, accepted: Path, out: Path) -> IngestReport:
    """Write the documents of the selected sources, in source order, the rejected records, and what changed.

    Raises:
        UserError: if a package is not installed, a path matches no file, or a source has no usable record.
    """
    seen: dict[bytes, bytes] = {}
    sources: list[SourceCount] = []
    rejected: Counter[str] = Counter()
    with (
        PartWriter(out / "documents", document_schema()) as parts,
        ManifestWriter(out / manifest.NAME) as listed,
        (out / "rejected.jsonl").open("w", encoding="utf-8") as rejects,
    ):
        for source in params.selected():
            tally = _Tally()
            records = _first_of_each(_read(source, inputs, params), seen)
            for record in progress(records, f"reading {source.name}", unit="record"):
                tally.add(record)
                _write(record, parts, listed, rejects)
            parts.close_part()
            _require_documents(source, tally)
            sources.append(_count(source, tally))
            rejected += tally.rejected
    unread = {source.name for source in params.sources} - {source.name for source in sources}
    changes, gone = manifest.compare(out / manifest.NAME, accepted / manifest.NAME, unread)
    write_jsonl(out / "tombstones.jsonl", (asdict(stone) for stone in gone))
    funnel = Funnel.counted(parts.records + rejected.total(), parts.records, rejected)
    return IngestReport(params.domain, sources, funnel, changes)


def _read(source: AnySource, inputs: Path, params: IngestParams) -> Iterator[Opened | Located | Reject]:
    if not isinstance(source, PythonDocsSource):
        yield from read_files(source, source.pattern, inputs, params.limits)
        return
    for record in python_docs.read_documents(source):
        # A docstring's place is its object: the first line of its document, or what its pair asks.
        yield record if isinstance(record, Reject) else Located(_title(record), record)


def _title(document: Document) -> str:
    return document.question or document.text.partition("\n")[0]


def _first_of_each(
    records: Iterable[Opened | Located | Reject], seen: dict[bytes, bytes]
) -> Iterator[Opened | Located | Reject]:
    """The records, those whose id has been seen as rejects; digests of ids and texts are added to `seen`."""
    for record in records:
        if not isinstance(record, Located):
            yield record
            continue
        key, text = _digest(record.document.id), _digest(record.document.source + "\0" + record.document.text)
        first = seen.setdefault(key, text)
        if first is text:
            yield record
        else:
            yield _repeated(record, same=first == text)


def _digest(text: str) -> bytes:
    """8 bytes to remember a string by: of ten million, two are alike with a chance of 3 in a million."""
    return hashlib.blake2b(text.encode(), digest_size=8).digest()


def _repeated(record: Located, *, same: bool) -> Reject:
    document = record.document
    reason = "same text from the same source" if same else "id given to two texts"
    detail = f"{document.id} is there already" + ("" if same else ", with another text")
    return Reject(document.id, document.source, record.origin, reason, detail, document.text[:120])


def _write(record: Opened | Located | Reject, parts: PartWriter, listed: ManifestWriter, rejects: TextIO) -> None:
    if isinstance(record, Reject):
        rejects.write(json.dumps(asdict(record), ensure_ascii=False) + "\n")
    if not isinstance(record, Located):
        return
    parts.add(record.document.model_dump())
    listed.add(record.origin, record.document)
    if _ends_part(record.document):
        parts.close_part()


def _ends_part(document: Document) -> bool:
    """Whether a part ends after this document: decided by it alone, so that others' coming and going moves no end.

    The longer a document, the likelier; on average a part holds _MEAN_PART_CHARACTERS.
    """
    drawn = int.from_bytes(_digest(document.id)) / 2**64
    return drawn < len(document.text) / _MEAN_PART_CHARACTERS


def _require_documents(source: AnySource, tally: _Tally) -> None:
    if tally.documents + tally.pairs:
        return
    found = ", ".join(f"{reason} {count}" for reason, count in tally.rejected.most_common(3)) or "nothing"
    first = tally.first_reject
    example = f"; the first is {first.origin}: {first.detail}" if first else ""
    raise UserError(
        f"the source {source.name!r} holds no usable record: {found}{example}",
        why="an empty corpus trains nothing",
        fix="mend the source or its `fields` (inputs/README.md shows both), or take it out of params.yaml",
    )


def _count(source: AnySource, tally: _Tally) -> SourceCount:
    return SourceCount(
        source.name,
        source.domain,
        tally.documents,
        tally.pairs,
        tally.bytes,
        tally.rejected.total(),
        python_docs.package_versions(source) if isinstance(source, PythonDocsSource) else {},
        tally.files,
    )
