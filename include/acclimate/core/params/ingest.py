"""Where documents come from, and how what is found there becomes records."""

from __future__ import annotations

import codecs
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from acclimate.core.params.fields import Count, Name, Section
from acclimate.core.records import GENERAL, DocumentType

Format = Literal["jsonl", "json", "csv", "tsv", "parquet", "txt", "md", "html", "xml", "pdf"]

FieldPath = Annotated[str, Field(min_length=1)]
"""A key (`body`), a dotted path in nested JSON (`fields.body`, `tags.0`), an XPath in XML (`Question/@qid`)."""


def _several(paths: Any) -> Any:
    return [paths] if isinstance(paths, str) else paths


TextPath = Annotated[list[FieldPath], Field(min_length=1), BeforeValidator(_several)]
"""One path or several: what several find is joined by an empty line, those without a value left out."""


def _known_encoding(name: str) -> str:
    try:
        # Not every codec is of text: hex turns bytes into bytes, rot13 text into text, `undefined` fails on anything.
        "text".encode(name)
        known = codecs.lookup(name).name
    except (LookupError, UnicodeError):
        raise ValueError("no such encoding of text; usual ones are utf-8, latin-1 and cp1252") from None
    # A byte order mark is looked for in any case.
    return "utf-8" if known == "utf-8-sig" else known


class Mapping(Section):
    """Which field of a source's record is which field of a document; what is not named here is not read."""

    text: TextPath | None = None
    question: TextPath | None = None
    answer: TextPath | None = None
    context: TextPath | None = None
    id: FieldPath | None = None
    type: FieldPath | None = None
    created_date: FieldPath | None = None
    quality_score: FieldPath | None = None
    language: FieldPath | None = None
    licence: FieldPath | None = None
    group: FieldPath | None = None
    difficulty: FieldPath | None = None

    def paths(self) -> dict[str, list[str]]:
        """Each field that is mapped, with its one or more paths."""
        return {name: _several(path) for name, path in self.model_dump(exclude_none=True).items()}


class Constants(Section):
    """What every record of a source has where its mapping finds nothing."""

    question: str | None = None
    context: str | None = None
    type: DocumentType | None = None
    created_date: str | None = None
    quality_score: Annotated[float, Field(ge=0, le=1)] | None = None
    language: Annotated[str, Field(min_length=2)] | None = None
    group: str | None = None
    difficulty: str | None = None


class Reading(Section):
    """What every source of files has: whose its documents are, and how a file's content becomes records."""

    name: Name
    domain: Name
    licence: str
    format: Format | None = None
    """By default from the file's name."""
    encoding: Annotated[str, AfterValidator(_known_encoding)] = "utf-8"
    """Of text formats without a byte order mark."""
    members: str | None = None
    """Which members of an archive are read, as a pattern, e.g. '*/train.tsv'; by default all."""
    records: str | None = None
    """Where in a file its records are: a dotted path (json), the elements' path (xml), 'line' or 'paragraph' (txt)."""
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    """Of csv; by default a comma."""
    fields: Mapping | None = None
    """By default a record's fields are called as in a document."""
    constants: Constants = Constants()

    @property
    def pattern(self) -> str:
        """Which files are read, as a glob relative to inputs/; by default what was fetched for the source."""
        return f"fetched/{self.name}/**/*"


class PythonDocsSource(Section):
    """Docstrings of installed packages, read without importing them; 'stdlib' is the standard library."""

    kind: Literal["python_docs"]
    name: Name
    domain: Name
    packages: Annotated[list[str], Field(min_length=1)]
    licence: str


class FilesSource(Reading):
    """Files below inputs/: there DVC notices when they change."""

    kind: Literal["files"]
    path: Annotated[str, Field(pattern=r"^inputs/[^/]", description="a glob relative to the checkout")]

    @property
    def pattern(self) -> str:
        """Which files are read, as a glob relative to inputs/."""
        return self.path.removeprefix("inputs/")


def _public_part(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("give an address that begins with http:// or https://")
    if parts.username is not None or parts.password is not None:
        raise ValueError("no user and password here: params.yaml is in git")
    return url


Url = Annotated[str, AfterValidator(_public_part)]


class S3Source(Reading):
    """Objects of a bucket on any S3-compatible endpoint; `acclimate fetch` mirrors them."""

    kind: Literal["s3"]
    bucket: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{3,255}$")]
    prefix: str = ""
    match: str = "*"
    """Which keys are copied, as a pattern; `*` matches `/` too."""
    endpoint_url: Url | None = None
    """By default Amazon's."""
    max_mb: Count = 1000
    """Of one object, as it is stored; a larger one is not copied."""


class HuggingFaceSource(Reading):
    """A dataset of the Hugging Face hub, or a folder in its form; `acclimate fetch` mirrors its records."""

    kind: Literal["huggingface"]
    dataset: Annotated[str, Field(min_length=1)]
    """A hub id, or a folder relative to the checkout that begins with `./`, `../` or `/`."""
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None = None
    """Of a hub id: a commit hash, so that the dataset cannot change under you."""
    config: str | None = None
    data_files: str | None = None
    """Which files of the dataset are read, as a pattern; by default those of its card or its file names."""
    split: str = "train"
    max_records: Count | None = None

    @property
    def is_folder(self) -> bool:
        """Whether it is on this machine."""
        return self.dataset.startswith(("./", "../", "/"))

    @model_validator(mode="after")
    def _pinned(self) -> HuggingFaceSource:
        if not self.is_folder and self.revision is None:
            raise ValueError(f"the hub's {self.dataset!r} needs a `revision`: a commit hash of 40 digits")
        return self


class FeedSource(Reading):
    """An RSS 2.0 or Atom feed; `acclimate fetch` keeps every entry that it has ever seen."""

    kind: Literal["feed"]
    url: Url
    fields: Mapping | None = Mapping(text=["title", "content"], created_date="published", group="id")
    allow_private: bool = False
    """Whether `url` may lie in a private network or on this machine."""
    max_mb: Count = 20
    """Of one answer."""


RemoteSource = S3Source | HuggingFaceSource | FeedSource
AnySource = PythonDocsSource | FilesSource | RemoteSource
Source = Annotated[AnySource, Field(discriminator="kind")]


class IngestLimits(Section):
    """What a file may cost; beyond it is a Reject, never a full memory."""

    max_file_mb: Count
    max_whole_mb: Count
    max_record_mb: Annotated[float, Field(gt=0)]
    max_expansion: Count
    max_members: Count


class IngestParams(Section):
    """Where documents come from; sources of other domains than `domain` and 'general' are not read."""

    domain: Name
    limits: IngestLimits
    sources: Annotated[list[Source], Field(min_length=1)]

    @model_validator(mode="after")
    def _sources_make_sense(self) -> IngestParams:
        names = [source.name for source in self.sources]
        if len(set(names)) < len(names):
            raise ValueError(f"sources need distinct names, got {names}")
        domains = sorted({source.domain for source in self.sources})
        for needed in (self.domain, GENERAL):
            if needed not in domains:
                raise ValueError(f"no source has domain {needed!r}; the sources have {domains}")
        return self

    def selected(self) -> list[AnySource]:
        """The sources this run reads, in file order."""
        return [source for source in self.sources if source.domain in (self.domain, GENERAL)]
