"""Read the documents of every source of the domain and of general text.

    acclimate ingest      # params.yaml: ingest → artifacts/ingest/documents/, rejected.jsonl

A source is the documentation of installed packages (python_docs.py) or JSONL files (file_source.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from acclimate.core.corpus import PartWriter
from acclimate.core.errors import UserError
from acclimate.core.files import write_jsonl
from acclimate.core.params import FilesSource, IngestParams, PythonDocsSource
from acclimate.core.records import Document, Reject, document_schema
from acclimate.core.reports import Funnel
from acclimate.data import file_source, python_docs


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


@dataclass(frozen=True)
class IngestReport:
    """What was read, by source."""

    domain: str
    sources: list[SourceCount]
    funnel: Funnel

    def headline(self) -> str:
        """'15.0 MB from 2 sources: 26,865 in, 26,842 out (same text from the same source 23)'."""
        megabytes = sum(source.bytes for source in self.sources) / 1e6
        return f"{megabytes:.1f} MB from {len(self.sources)} sources: {self.funnel.sentence()}"


def run(params: IngestParams, *, inputs: Path, out: Path) -> IngestReport:
    """Write the documents of the selected sources, in source order, and the rejected records.

    Raises:
        UserError: if a package is not installed, a path matches no file, or a source has no usable record.
    """
    documents: dict[str, Document] = {}
    rejects: list[Reject] = []
    sources: list[SourceCount] = []
    for source in params.selected():
        kept, rejected = _add_first_of_each(documents, _read(source, inputs))
        _require_documents(source, kept, rejected)
        sources.append(_count(source, kept, rejected))
        rejects += rejected
    _write(list(documents.values()), rejects, out)
    return IngestReport(params.domain, sources, Funnel.of(len(documents) + len(rejects), len(documents), rejects))


def _read(source: PythonDocsSource | FilesSource, inputs: Path) -> Iterable[Document | Reject]:
    if isinstance(source, PythonDocsSource):
        return python_docs.read_documents(source)
    return file_source.read_lines(source, inputs)


def _add_first_of_each(
    documents: dict[str, Document], records: Iterable[Document | Reject]
) -> tuple[list[Document], list[Reject]]:
    """Add to `documents` those of a new id; return them, and the rest as rejects beside those already rejected."""
    kept: list[Document] = []
    rejects: list[Reject] = []
    for record in records:
        if isinstance(record, Reject):
            rejects.append(record)
        elif record.id in documents:
            rejects.append(_repeated(record, documents[record.id]))
        else:
            documents[record.id] = record
            kept.append(record)
    return kept, rejects


def _repeated(record: Document, first: Document) -> Reject:
    same = (record.text, record.source) == (first.text, first.source)
    reason = "same text from the same source" if same else "id given to two texts"
    detail = f"{record.group} repeats {first.group}"
    return Reject(record.id, record.source, "ingest", reason, detail, record.text[:120])


def _require_documents(source: PythonDocsSource | FilesSource, kept: list[Document], rejected: list[Reject]) -> None:
    if kept:
        return
    reasons = Counter(reject.reason for reject in rejected).most_common(3)
    found = ", ".join(f"{reason} {count}" for reason, count in reasons) or "nothing"
    example = f"; the first is {rejected[0].origin}: {rejected[0].detail}" if rejected else ""
    raise UserError(
        f"the source {source.name!r} holds no usable record: {found}{example}",
        why="an empty corpus trains nothing",
        fix="mend the source (inputs/README.md shows what a line may hold), or take it out of params.yaml",
    )


def _count(source: PythonDocsSource | FilesSource, kept: list[Document], rejected: list[Reject]) -> SourceCount:
    versions = python_docs.package_versions(source) if isinstance(source, PythonDocsSource) else {}
    pairs = sum(document.type == "qa_pair" for document in kept)
    size = sum(len(document.text.encode()) for document in kept)
    return SourceCount(source.name, source.domain, len(kept) - pairs, pairs, size, len(rejected), versions)


def _write(documents: list[Document], rejects: list[Reject], out: Path) -> None:
    with PartWriter(out / "documents", document_schema()) as parts:
        for document in documents:
            parts.add(document.model_dump())
    write_jsonl(out / "rejected.jsonl", (asdict(reject) for reject in rejects))
