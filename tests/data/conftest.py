"""Documents for the tests of the data stages: records with every column filled, and a small corpus of two languages."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path
from threading import Thread
from typing import Any

import pyarrow as pa
import pytest

from acclimate.core.files import write_parquet
from acclimate.core.params import EvaluationSetParams, MixParams
from acclimate.core.params.evaluation import DifficultyShares, KindShares
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


@pytest.fixture
def evaluation_set_params() -> EvaluationSetParams:
    """Twenty examples by the quotas of params.yaml."""
    kinds = {"customer_queries": 0.4, "expert": 0.3, "benchmarks": 0.15, "failure_cases": 0.1, "edge_cases": 0.05}
    return EvaluationSetParams(
        examples=20,
        kinds=KindShares(**kinds),
        difficulties=DifficultyShares(easy=0.4, medium=0.4, hard=0.2),
        min_quality=0.7,
        min_annotation_confidence=0.8,
        unreviewed_confidence=0.85,
        duplicate_threshold=0.8,
        easy_below=0.4,
        hard_from=0.52,
        on_shortfall="fill",
    )


@pytest.fixture(scope="session")
def mix_params() -> MixParams:
    """20 kB of short texts by the shares of params.yaml, drawn at random."""
    return MixParams(
        strategy="static_balanced",
        domain_documents=0.4,
        domain_questions=0.4,
        general_replay=0.2,
        diverse=False,
        balance_difficulty=False,
        kilobytes=20,
        max_document_characters=200,
        bytes_per_token=4.0,
    )


class Website(ThreadingHTTPServer):
    """A server on loopback that says what a test has put there, and remembers what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pages: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.otherwise: tuple[int, dict[str, str], bytes] = (404, {}, b"")
        self.asked: list[tuple[str, dict[str, str]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Website

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append((self.path, headers))
        status, answer, body = self.server.pages.get(self.path, self.server.otherwise)
        if "etag" in answer and headers.get("if-none-match") == answer["etag"]:
            status, body = 304, b""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **answer}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815

    def log_request(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def website() -> Iterator[Website]:
    with Website() as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        yield server
        server.shutdown()
