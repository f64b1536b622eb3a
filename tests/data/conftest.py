"""Documents for the tests of the data stages: records with every column filled, and a small corpus of two languages."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from acclimate.core.files import write_parquet
from acclimate.core.records import Document, document_id, document_schema

Row = dict[str, Any]
MakeDocument = Callable[..., Row]
WriteDocuments = Callable[[Path, Sequence[Row]], Path]


@pytest.fixture
def document() -> MakeDocument:
    """document(text, **fields): a record of the contract; its id follows from its text."""

    def make(text: str, **fields: Any) -> Row:
        given = {"source": "shelf", "type": "raw_text", "domain": "pottery", "text": text, **fields}
        identity = given.get("id") or document_id(given["source"], text)
        return Document(**{"group": identity, **given, "id": identity}).model_dump()

    return make


@pytest.fixture
def write_documents() -> WriteDocuments:
    """write_documents(path, rows): a Parquet file with the document schema, and `cluster` if the rows have one."""

    def write(path: Path, rows: Sequence[Row]) -> Path:
        schema = document_schema()
        if rows and "cluster" in rows[0]:
            schema = schema.append(pa.field("cluster", pa.string(), nullable=False))
        path.parent.mkdir(parents=True, exist_ok=True)
        write_parquet(path, pa.Table.from_pylist(list(rows), schema=schema))
        return path

    return write


@pytest.fixture
def corpus(document: MakeDocument) -> list[Row]:
    """240 domain and 240 general texts of 70 words: half from words of their own, half from common ones."""
    common = ["".join(parts) for parts in product(("wo", "ta", "ri"), ("ne", "lu", "sa"), ("mi", "ko", "du"))]
    own = {
        "pottery": ["".join(parts) for parts in product(("gla", "kil", "cer"), ("zi", "no", "pa"), ("ft", "rb", "ck"))],
        "general": ["".join(parts) for parts in product(("hou", "str", "for"), ("ee", "ou", "ia"), ("st", "nd", "lp"))],
    }
    choose = random.Random(0)
    return [
        document(" ".join(choose.choice(choose.choice((common, terms))) for _ in range(70)), domain=domain)
        for domain, terms in own.items()
        for _ in range(240)
    ]
