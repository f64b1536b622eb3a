"""A file of records read whole, and the values at a place in a record: {"question": {"stem": "…"}} at question.stem.

For files that are given beside the corpus: benchmarks, predictions, references. Documents, which may be large, packed
or hostile, are read by the other modules here.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from acclimate.core.files import read_parquet

Record = dict[str, Any]


def values_at(value: Any, path: Sequence[str]) -> list[str]:
    """The texts at a path: keys into objects, numbers into lists; a list without a number is read as a whole."""
    if isinstance(value, list) and not (path and path[0].isdecimal()):
        return [text for entry in value for text in values_at(entry, path)]
    if not path:
        return [] if value is None or isinstance(value, dict) else [str(value)]
    key, *rest = path
    if isinstance(value, list):
        return values_at(value[int(key)], rest) if int(key) < len(value) else []
    return values_at(value.get(key), rest) if isinstance(value, dict) else []


def _jsonl(path: Path) -> list[Record]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def _json(path: Path) -> list[Record]:
    content = json.loads(path.read_text(encoding="utf-8"))
    return list(content.values()) if isinstance(content, dict) else content


def _separated(delimiter: str) -> Callable[[Path], list[Record]]:
    def read(path: Path) -> list[Record]:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            return list(csv.DictReader(lines, delimiter=delimiter))

    return read


def _parquet(path: Path) -> list[Record]:
    rows: list[Record] = read_parquet(path).to_pylist()
    return rows


READERS: dict[str, Callable[[Path], list[Record]]] = {
    ".jsonl": _jsonl,
    ".json": _json,
    ".csv": _separated(","),
    ".tsv": _separated("\t"),
    ".parquet": _parquet,
}
"""The ending of a file's name to what reads it whole; they raise ValueError or csv.Error where it is damaged."""
