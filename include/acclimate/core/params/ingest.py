"""Where documents come from."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from acclimate.core.params.fields import Name, Section
from acclimate.core.records import GENERAL


class PythonDocsSource(Section):
    """Docstrings of installed packages, read without importing them; 'stdlib' is the standard library."""

    kind: Literal["python_docs"]
    name: Name
    domain: Name
    packages: Annotated[list[str], Field(min_length=1)]
    licence: str


class FilesSource(Section):
    """JSONL files, one document a line, below inputs/: there DVC notices when they change."""

    kind: Literal["files"]
    name: Name
    domain: Name
    path: Annotated[str, Field(pattern=r"^inputs/[^/]", description="a glob relative to the checkout")]
    licence: str


Source = Annotated[PythonDocsSource | FilesSource, Field(discriminator="kind")]


class IngestParams(Section):
    """Where documents come from; sources of other domains than `domain` and 'general' are not read."""

    domain: Name
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

    def selected(self) -> list[PythonDocsSource | FilesSource]:
        """The sources this run reads, in file order."""
        return [source for source in self.sources if source.domain in (self.domain, GENERAL)]
