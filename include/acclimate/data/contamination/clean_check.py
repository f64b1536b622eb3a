"""Whether files of training texts are free of evaluation items: asked of the words themselves.

It shares nothing with the search in item_overlaps.py but the normalisation: the files are read back, runs
of words are compared as such and not by hashes of ours, and no index decides where to look. So a fault in the
search shows here, before anything is trained on what it left in.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from acclimate.data.contamination.item_overlaps import MIN_WORDS
from acclimate.data.similarity.words import words

BATCH_ROWS = 4096


def unclean_texts(paths: Iterable[Path], items: Iterable[str], passage_words: int) -> list[str]:
    """The ids of the texts in which `passage_words` words in a row of an item stand, or a shorter item whole.

    An item of fewer than MIN_WORDS words must be the whole text, or the whole question of a record.
    """
    wanted, whole = _wanted(items, passage_words)
    return [
        identity
        for path in paths
        for identity, text, question in _rows(path)
        if _holds(words(text), wanted) or whole & {tuple(words(text)), tuple(words(question or ""))}
    ]


def _wanted(items: Iterable[str], passage_words: int) -> tuple[dict[int, set[int]], set[tuple[str, ...]]]:
    """Run length to the hashes of the runs to look for, and the items that are too short to be looked for inside."""
    runs: dict[int, set[int]] = defaultdict(set)
    whole: set[tuple[str, ...]] = set()
    for item in items:
        found = words(item)
        if len(found) < MIN_WORDS:
            whole |= {tuple(found)} if found else set()
        else:
            length = min(len(found), passage_words)
            runs[length].update(_runs(found, length))
    return runs, whole


def _holds(found: list[str], wanted: dict[int, set[int]]) -> bool:
    return any(not runs.isdisjoint(_runs(found, length)) for length, runs in wanted.items())


def _runs(found: list[str], length: int) -> Iterator[int]:
    """Python's own hash of every run: a tenth of the memory of the words, and another one than the search uses."""
    return map(hash, zip(*(found[start:] for start in range(length)), strict=False))


def _rows(path: Path) -> Iterator[tuple[str, str, str | None]]:
    import pyarrow.parquet as pq

    for batch in pq.ParquetFile(path).iter_batches(BATCH_ROWS, columns=["id", "text", "question"]):
        columns: Collection[list[str]] = [batch.column(name).to_pylist() for name in ("id", "text", "question")]
        yield from zip(*columns, strict=True)
