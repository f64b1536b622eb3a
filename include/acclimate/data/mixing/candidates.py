"""What the training set is chosen from, as columns: a file is read twice, its texts are never all in memory.

    pools = scan(domain, general, measures)            # first pass: numbers about every candidate
    texts = training_texts(domain, places, 1200)       # second pass: what is read of those chosen

What a candidate costs in memory does not depend on how long its text is (bench/mix.py: a million of them).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from acclimate.data.mixing import difficulty, diversity
from acclimate.data.seeded import chance
from acclimate.data.similarity.words import opening

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

KINDS = ("domain_documents", "domain_questions", "general_replay")
FACTS = ("id", "source", "licence", "language", "quality_score", "difficulty")
"""Columns of a candidate that are kept beside its numbers."""
PAIR = ("question", "answer", "context")
"""What a question is made of: training writes it in the form that the model is to answer in."""
_BATCH = 4096
"""Texts held at once; with what measuring them takes, below 200 MB."""


@dataclass(frozen=True)
class Measures:
    """What the first pass finds out about every candidate."""

    seed: int
    max_document_characters: int
    difficulty: bool
    """Whether to grade the texts."""
    density: bool
    """Whether to place them in hash tables, from which follows how many others are like them."""


@dataclass(frozen=True)
class Pool:
    """The candidates of one kind, in the order of their file; every array is [candidates]."""

    facts: pa.Table
    places: NDArray[np.int64]
    """Row in the file."""
    chances: NDArray[np.float64]
    """Uniform in [0, 1), from seed and id alone."""
    bytes: NDArray[np.int64]
    """Of the training text, UTF-8."""
    quality: NDArray[np.float64]
    """0–1; NaN where nobody has judged."""
    grades: NDArray[np.int8]
    """Place in difficulty.GRADES; empty unless measured."""
    densities: NDArray[np.float64]
    """Share of the candidates that are like this one; empty unless measured."""

    @property
    def size(self) -> int:
        """Bytes of all of them."""
        return int(self.bytes.sum())

    def mean_quality(self) -> float | None:
        """Mean over the candidates that have a score, or None if none has."""
        known = self.quality[~np.isnan(self.quality)]
        return float(known.mean()) if len(known) else None


def scan(domain: Path, general: Path, measures: Measures) -> dict[str, Pool]:
    """The candidates of every kind: pairs of the domain are its questions, everything general is replay."""
    documents, questions = _pools(domain, measures, ("qa_pair",))
    replay, _ = _pools(general, measures, ())
    return dict(zip(KINDS, (documents, questions, replay), strict=True))


def training_texts(path: Path, places: NDArray[np.int64], max_document_characters: int) -> pa.Table:
    """`text` and PAIR of the rows at `places` (ascending), in that order."""
    import pyarrow as pa

    names = ("text", *PAIR)
    schema = pa.schema([(name, pa.large_string()) for name in names])
    batches = []
    for batch, wanted in _marked(path, places):
        rows = batch.filter(pa.array(wanted))
        parts = [rows.column(name).cast(pa.large_string()) for name in PAIR]
        texts = _training_texts(rows, max_document_characters)
        batches.append(pa.record_batch([texts, *parts], schema=schema))
    return pa.Table.from_batches(batches, schema=schema)


def _marked(path: Path, places: NDArray[np.int64]) -> Iterator[tuple[pa.RecordBatch, NDArray[np.bool_]]]:
    """Every batch of the file that holds one of `places`, and which of its rows those are."""
    for start, batch in _batches(path, ("text", "type", *PAIR)):
        first, last = np.searchsorted(places, (start, start + batch.num_rows))
        if first < last:
            wanted = np.zeros(batch.num_rows, dtype=np.bool_)
            wanted[places[first:last] - start] = True
            yield batch, wanted


def _batches(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, pa.RecordBatch]]:
    import pyarrow.parquet as pq

    start = 0
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_BATCH, columns=list(columns)):
            yield start, batch
            start += batch.num_rows


def _training_texts(batch: pa.RecordBatch, characters: int) -> pa.Array:
    # A question is kept whole: without the end of its answer it teaches to stop in mid-sentence.
    import pyarrow as pa

    pairs = zip(batch.column("text").to_pylist(), batch.column("type").to_pylist(), strict=True)
    texts = [text if kind == "qa_pair" else opening(text, characters) for text, kind in pairs]
    return pa.array(texts, type=pa.large_string())


def _pools(path: Path, measures: Measures, types: tuple[str, ...]) -> tuple[Pool, Pool]:
    """The records of a file whose type is none of `types`, and those whose type is one."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = diversity.HashTables(measures.seed, pq.read_metadata(path).num_rows) if measures.density else None
    parts: tuple[list[dict[str, Any]], list[dict[str, Any]]] = ([], [])
    for start, batch in _batches(path, (*FACTS, "text", "type")):
        measured = _measured(start, batch, measures, tables)
        chosen = np.isin(np.array(batch.column("type").to_pylist(), dtype=object), types)
        for part, mask in zip(parts, (~chosen, chosen), strict=True):
            if mask.any():
                arrays = {name: array[mask] for name, array in measured.items()}
                part.append(arrays | {"facts": batch.select(list(FACTS)).filter(pa.array(mask))})
    schema = pq.read_schema(path)
    facts = pa.schema([schema.field(name) for name in FACTS])
    documents, pairs = (_pool(part, facts) for part in parts)
    return documents, pairs


def _measured(
    start: int, batch: pa.RecordBatch, measures: Measures, tables: diversity.HashTables | None
) -> dict[str, Any]:
    """Numbers about the records of one batch."""
    import pyarrow.compute as pc

    texts = _training_texts(batch, measures.max_document_characters)
    chances = [chance(measures.seed, f"mix/{identity}") for identity in batch.column("id").to_pylist()]
    quality = batch.column("quality_score").to_numpy(zero_copy_only=False)
    measured = {
        "places": np.arange(start, start + batch.num_rows),
        "chances": np.array(chances, dtype=np.float64),
        "bytes": pc.binary_length(texts).to_numpy(zero_copy_only=False).astype(np.int64),
        "quality": quality.astype(np.float64),
    }
    if measures.difficulty:
        measured["grades"] = difficulty.grades(difficulty.hardness(texts, batch.column("difficulty")))
    if tables is not None:
        measured["codes"] = tables.codes(texts)
    return measured


def _pool(parts: list[dict[str, Any]], schema: pa.Schema) -> Pool:
    import pyarrow as pa

    def joined(name: str, kind: type[Any]) -> Any:
        return np.concatenate([np.empty(0, dtype=kind), *[part[name] for part in parts if name in part]])

    codes = [part["codes"] for part in parts if "codes" in part]
    return Pool(
        facts=pa.Table.from_batches([part["facts"] for part in parts], schema=schema),
        places=joined("places", np.int64),
        chances=joined("chances", np.float64),
        bytes=joined("bytes", np.int64),
        quality=joined("quality", np.float64),
        grades=joined("grades", np.int8),
        densities=diversity.densities(np.concatenate(codes)) if codes else np.empty(0),
    )
