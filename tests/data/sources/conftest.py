"""read({"a.jsonl": b"…"}, **source): what a source makes of files below a fresh inputs/."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from acclimate.core.params import FilesSource, IngestLimits
from acclimate.core.records import Document, Reject
from acclimate.data.sources.file_source import Located, read_files

Read = Callable[..., tuple[list[Document], list[Reject]]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def read_them(files: dict[str, bytes], **given: Any) -> tuple[list[Document], list[Reject]]:
        limits = {"max_file_mb": 100, "max_whole_mb": 1, "max_record_mb": 0.01, "max_expansion": 200, "max_members": 9}
        limits = {name: given.pop(name, default) for name, default in limits.items()}
        for name, content in files.items():
            path = tmp_path / "inputs" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        source = {"kind": "files", "name": "own", "domain": "documents", "path": "inputs/**/*", "licence": "CC0-1.0"}
        made = FilesSource.model_validate(source | given)
        found = list(read_files(made, made.pattern, tmp_path / "inputs", IngestLimits.model_validate(limits)))
        documents = [record.document for record in found if isinstance(record, Located)]
        return documents, [record for record in found if isinstance(record, Reject)]

    return read_them
