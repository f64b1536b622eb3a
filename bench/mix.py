"""Seconds and memory of composing a training set from many candidates, by strategy.

    python bench/mix.py [RECORDS]     # 1,000,000 candidates unless given; writes bench/results/mix.json and .md

The candidates are made here: of every three, a document of some 450 bytes, a question and a general text of some 200
bytes each, their words drawn from 20,000 by rank (Zipf). Half of all bytes are taken. Every row is one process that
reads Parquet and writes train.jsonl and records.parquet; its memory is its greatest resident set.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from results_file import Goal, Outcome, Row, at_most, measured, write

from acclimate.core.records import document_schema

RECORDS = 1_000_000
WORDS = 20_000
_CHUNK = 30_000
STRATEGIES: dict[str, dict[str, Any]] = {
    "static_balanced": {},
    "quality_weighted": {"strategy": "quality_weighted"},
    "adaptive_quality": {"strategy": "adaptive_quality"},
    "curriculum_progression": {"strategy": "curriculum_progression"},
    "static_balanced, balance_difficulty": {"balance_difficulty": True},
    "quality_weighted, diverse, balance_difficulty": {
        **{"strategy": "quality_weighted", "diverse": True, "balance_difficulty": True}
    },
}
RUN = """
import json, sys
from pathlib import Path
from acclimate.core.params import CommonParams, MixParams
from acclimate.data.mix import run
folder = Path(sys.argv[1])
params = MixParams.model_validate(json.loads(sys.argv[2]))
report = run(params, CommonParams(seed=1729, threads=2, min_free_disk_mb=0),
             domain=folder / "domain.parquet", general=folder / "general.parquet", out=folder / "out")
print(report.headline())
"""


def candidates(folder: Path, records: int) -> int:
    """Write domain.parquet and general.parquet, chunk by chunk; return the bytes of their texts."""
    generator = np.random.default_rng(1729)
    vocabulary = np.array(["".join(letters) for letters in _spelled(generator)])
    total = 0
    files = {name: pq.ParquetWriter(folder / f"{name}.parquet", document_schema()) for name in ("domain", "general")}
    for start in range(0, records, _CHUNK):
        third = min(_CHUNK, records - start) // 3
        for name, kind, words in (
            ("domain", "raw_text", 70),
            ("domain", "qa_pair", 30),
            ("general", "raw_text", 30),
        ):
            texts = _texts(generator, vocabulary, (third, words))
            scores = generator.choice([0.6, 0.8, 0.9, 1.0], third).tolist()
            table = _table(texts, scores, prefix=f"{kind[0]}{name[0]}{start}", kind=kind, domain=name)
            total += sum(len(text.encode()) for text in table.column("text").to_pylist())
            files[name].write_table(table)
    for file in files.values():
        file.close()
    return total


def _spelled(generator: np.random.Generator) -> list[list[str]]:
    letters = np.array(list("etaoinshrdlucmfwypvbgk"))
    return [list(generator.choice(letters, size)) for size in generator.integers(2, 12, WORDS)]


def _texts(generator: np.random.Generator, vocabulary: NDArray[np.str_], shape: tuple[int, int]) -> list[str]:
    # A rank r is drawn with a chance of about 1 / r.
    ranks = (WORDS ** generator.random(shape)).astype(np.int64) - 1
    return [" ".join(row[:-1]) + f". {row[-1]}." for row in vocabulary[ranks]]


def _table(texts: list[str], scores: list[float], *, prefix: str, kind: str, domain: str) -> pa.Table:
    count = len(texts)
    names = [f"{prefix}-{number}" for number in range(count)]
    columns: dict[str, list[Any]] = {name: [None] * count for name in document_schema().names}
    columns |= {"id": names, "text": texts, "group": names, "quality_score": scores}
    columns |= {"source": ["made"] * count, "type": [kind] * count}
    columns |= {"language": ["en"] * count, "domain": [domain] * count}
    return pa.table(columns, schema=document_schema())


def row(engine: str, folder: Path, changes: dict[str, Any], size: int) -> Row:
    """One process over all the candidates."""
    params = {
        **{"strategy": "static_balanced", "diverse": False, "balance_difficulty": False, "bytes_per_token": 4.0},
        **{"domain_documents": 0.4, "domain_questions": 0.4, "general_replay": 0.2},
        **{"kilobytes": size // 2000, "max_document_characters": 1200, **changes},
    }
    (folder / "out").mkdir(exist_ok=True)
    used = measured([sys.executable, "-c", RUN, str(folder), json.dumps(params)])
    print(f"{engine}: {used.wall_s} s, {used.peak_rss_mb} MB: {used.output.strip()}", flush=True)
    return Row(
        engine,
        cpu_s=used.cpu_s,
        wall_s=used.wall_s,
        mb_per_s=round(size / 1e6 / used.cpu_s, 1),
        peak_rss_mb=used.peak_rss_mb,
    )


def goals(rows: list[Row], records: int) -> list[Goal]:
    """Seconds per million candidates, start-up and writing included."""
    million = records / 1e6
    plain, heaviest = rows[0], rows[-1]
    return [
        at_most("CPU seconds per million candidates, static_balanced", 30, round((plain.cpu_s or 0) / million, 1)),
        at_most("CPU seconds per million candidates, diverse", 60, round((heaviest.cpu_s or 0) / million, 1)),
        at_most("peak memory, MB per million candidates", 2500, max(row.peak_rss_mb or 0 for row in rows) / million),
    ]


def main() -> int:
    """Make the candidates, measure every strategy, write the result."""
    records = int(sys.argv[1]) if len(sys.argv) > 1 else RECORDS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        size = candidates(folder, records)
        rows = [row(engine, folder, changes, size) for engine, changes in STRATEGIES.items()]
    said = f"{records:,} made candidates, {size / 1e6:,.0f} MB of text, half of it taken"
    versions = {package: importlib.metadata.version(package) for package in ("numpy", "pyarrow")}
    write("mix", Outcome({"said": said, "records": records, "bytes": size}, versions, rows, goals(rows, records)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
