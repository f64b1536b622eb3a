"""One engine of bench/decontaminate.py in a process of its own, so that all it takes is counted.

python bench/decontaminate_once.py ENGINE ITEMS.json ROWS TEXTS.parquet …
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

WORDS = 13
WORD = re.compile(r"\w+")
"""Of the Python sets, which are not made to pay for our normalisation."""


def main() -> int:
    """Print the megabytes read and the ids of the texts with a passage."""
    engine, items_file, rows, *texts = sys.argv[1:]
    items = json.loads(Path(items_file).read_text(encoding="utf-8"))
    print(json.dumps(ENGINES[engine](items, int(rows), list(map(Path, texts)))))
    return 0


def _batches(rows: int, texts: Sequence[Path]) -> Iterator[pa.RecordBatch]:
    left = rows
    for path in texts:
        for batch in pq.ParquetFile(path).iter_batches(min(4096, max(1, left)), columns=["id", "text"]):
            yield batch
            left -= batch.num_rows
            if left <= 0:
                break


def _kernel(items: list[str], rows: int, texts: Sequence[Path]) -> dict[str, Any]:
    from acclimate.data.contamination.text_blocks import word_streams
    from acclimate.data.similarity.passages import Passages
    from acclimate.data.similarity.words import WordStreams

    wanted = Passages.of(WordStreams.of(items), WORDS)
    size, found = 0, []
    for batch in _batches(rows, texts):
        column = batch.column("text")
        size += column.nbytes - 4 * (len(column) + 1)
        owners, _ = wanted.occurrences(word_streams(column))
        found += batch.column("id").take(pa.array(sorted(set(owners.tolist())), pa.int64())).to_pylist()
    return {"megabytes": size / 1e6, "found": found}


def _read_back(items: list[str], rows: int, texts: Sequence[Path]) -> dict[str, Any]:
    """The check before a certificate."""
    from acclimate.data.contamination.clean_check import CleanCheck
    from acclimate.data.contamination.text_blocks import word_streams

    check = CleanCheck.of(items, WORDS)
    size, found = 0, []
    for batch in _batches(rows, texts):
        column = batch.column("text")
        size += column.nbytes - 4 * (len(column) + 1)
        streams = word_streams(column)
        found += batch.column("id").take(pa.array(check.unclean(streams, streams), pa.int64())).to_pylist()
    return {"megabytes": size / 1e6, "found": found}


def _python_set(items: list[str], rows: int, texts: Sequence[Path]) -> dict[str, Any]:
    """As it is usually written: every run of words joined and hashed."""

    def grams(text: str) -> Iterator[int]:
        found = WORD.findall(text.lower())
        return (hash(" ".join(found[start : start + WORDS])) for start in range(len(found) - WORDS + 1))

    return _look_up(grams, items, rows, texts)


def _tuned_python_set(items: list[str], rows: int, texts: Sequence[Path]) -> dict[str, Any]:
    """The fastest form we know of: tuples made by zip, so that the interpreter runs no step per run of words."""

    def grams(text: str) -> Iterator[int]:
        found = WORD.findall(text.lower())
        return map(hash, zip(*(found[start:] for start in range(WORDS)), strict=False))

    return _look_up(grams, items, rows, texts)


def _look_up(
    grams: Callable[[str], Iterator[int]], items: list[str], rows: int, texts: Sequence[Path]
) -> dict[str, Any]:
    wanted = {gram for item in items for gram in grams(item)}
    size, found = 0, []
    for batch in _batches(rows, texts):
        for row in batch.to_pylist():
            size += len(row["text"].encode())
            if not wanted.isdisjoint(grams(row["text"])):
                found.append(row["id"])
    return {"megabytes": size / 1e6, "found": found}


ENGINES = {
    "acclimate": _kernel,
    "acclimate, read back": _read_back,
    "python set": _python_set,
    "python set, tuned": _tuned_python_set,
}


if __name__ == "__main__":
    sys.exit(main())
