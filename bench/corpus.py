"""Real text for the benchmarks: passages of the files that Python packages on this machine consist of.

    python bench/corpus.py 100000      # bench/.inputs/passages-100000.parquet (id, text, origin)

Source files and documentation of the two environments and the standard library, each cut at blank lines into
passages of about PASSAGE_BYTES. Files come in an order drawn from their path, so that a smaller input is a sample
of a larger one. Real copies are in it as they are (licences, vendored packages, generated code); besides, one
passage in EDIT_EVERY is followed later by a copy with some of its words replaced, since edits at every distance
from the threshold are rarer in source files than in what people write about each other.
"""

from __future__ import annotations

import hashlib
import random
import re
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

CHECKOUT = Path(__file__).parents[1]
INPUTS = Path(__file__).parent / ".inputs"
ROOTS = (CHECKOUT / ".venv/lib", CHECKOUT / ".venv-airflow/lib", Path(sysconfig.get_path("stdlib")))
SUFFIXES = {".py", ".pyi", ".pyx", ".md", ".rst", ".txt", ".h", ".hpp", ".cuh", ".cpp", ".js"}
PASSAGE_BYTES = 1100
MIN_BYTES = 200
EDIT_EVERY = 25
ROW_GROUP = 10_000
SCHEMA = pa.schema(
    [
        *(("id", pa.string()), ("text", pa.string()), ("origin", pa.string())),
        # What `dedup` chooses the survivor by; with nothing in them, the first of a set survives.
        *(("quality_score", pa.float64()), ("created_date", pa.date32())),
    ]
)

Row = dict[str, str]


def passages(documents: int) -> Path:
    """The Parquet file of so many passages; made when it is not there yet.

    Raises:
        SystemExit: if this machine holds less text than that.
    """
    path = INPUTS / f"passages-{documents}.parquet"
    if not path.exists():
        INPUTS.mkdir(exist_ok=True)
        partial = path.with_suffix(".partial")
        written = _write(partial, documents)
        if written < documents:
            partial.unlink()
            raise SystemExit(
                f"{written:,} passages found in {', '.join(map(str, ROOTS))}; {documents:,} were asked for"
            )
        partial.rename(path)
    return path


def _write(path: Path, documents: int) -> int:
    rows: list[Row] = []
    written = 0
    with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        for row in _with_edits(_cut_files()):
            rows.append({"id": f"{written:08d}", **row})
            written += 1
            if len(rows) == ROW_GROUP or written == documents:
                writer.write_table(pa.Table.from_pylist(rows, schema=SCHEMA))
                rows.clear()
            if written == documents:
                break
    return written


def _cut_files() -> Iterator[Row]:
    files = [
        (hashlib.sha256(str(path.relative_to(root)).encode()).hexdigest(), root.as_posix(), path)
        for root in ROOTS
        for path in root.rglob("*")
        if path.suffix in SUFFIXES and path.is_file()
    ]
    for _, _, path in sorted(files):
        for passage in _cut(path.read_text(encoding="utf-8", errors="ignore")):
            yield {"text": passage, "origin": path.name}


def _cut(text: str) -> Iterator[str]:
    passage, size = [], 0
    for paragraph in re.split(r"\n\s*\n", text):
        passage.append(paragraph[: 20 * PASSAGE_BYTES])
        size += len(passage[-1])
        if size >= PASSAGE_BYTES:
            yield "\n\n".join(passage)
            passage, size = [], 0
    if size >= MIN_BYTES:
        yield "\n\n".join(passage)


def _with_edits(rows: Iterator[Row]) -> Iterator[Row]:
    choose = random.Random(1729)
    waiting: list[Row] = []
    for number, row in enumerate(rows):
        yield row
        if number % EDIT_EVERY == 0:
            waiting.append({"text": _edited(row["text"], choose), "origin": f"edited {row['origin']}"})
        if len(waiting) > 200:
            yield waiting.pop(choose.randrange(len(waiting)))


def _edited(text: str, choose: random.Random) -> str:
    """Replace up to 8 % of the words, each by another word of the text."""
    parts = re.split(r"(\w+)", text)
    places = list(range(1, len(parts), 2))
    words = [parts[place] for place in places]
    for place in choose.sample(places, choose.randint(min(1, len(places)), (len(places) + 11) // 12)):
        parts[place] = choose.choice(words)
    return "".join(parts)


if __name__ == "__main__":
    print(passages(int(sys.argv[1])))
