"""text-dedup's MinHash on some Parquet files, in its own environment: python text_dedup_job.py REQUEST.json.

text_dedup.minhash keeps only what survives by its own rule; its union-find, left in the module, knows the sets. Written
are sets-<number>.npy, [texts, 2]: a record and a name of its set, for each file, and answer.json.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

FALSE_WEIGHT = 0.5
"""Of false positives and of false negatives alike: the package's own choice of bands and rows."""


def main(request: Path) -> None:
    """Do what the request asks."""
    wanted = json.loads(request.read_text(encoding="utf-8"))
    done, sys.stdout = sys.stdout, sys.stderr  # it logs on stdout, where our files are counted
    from text_dedup import minhash

    bands, rows = minhash.optimal_param(wanted["threshold"], wanted["permutations"], FALSE_WEIGHT, FALSE_WEIGHT)
    scratch = Path(wanted["scratch"])
    records = []
    for number, path in enumerate(wanted["paths"]):
        records.append(_sets(path, wanted, scratch / f"sets-{number}.npy", (bands, rows)))
        print(path, file=done, flush=True)
    answer = {"bands": bands, "rows": rows, "records": records}
    (scratch / "answer.json").write_text(json.dumps(answer), encoding="utf-8")


def _sets(path: str, wanted: dict[str, Any], out: Path, banding: tuple[int, int]) -> int:
    """Write the sets of one file; return how many records it has."""
    import numpy as np
    import pyarrow.parquet as pq
    from text_dedup import minhash

    with pq.ParquetFile(path) as file:
        records: int = file.metadata.num_rows
    minhash.uf.reset()
    # It stumbles over a file without records, and one alone has no copy.
    if records > 1:
        minhash.main(_options(path, wanted, out, banding), standalone_mode=False)
    pairs = [(record, minhash.uf.find(record)) for record in sorted(minhash.uf.parent)]
    np.save(out, np.array(pairs, dtype=np.int64).reshape(-1, 2))
    return records


def _options(path: str, wanted: dict[str, Any], out: Path, banding: tuple[int, int]) -> list[str]:
    options = {
        "path": "parquet",
        "data_files": path,
        "split": "train",
        "column": "text",
        "ngram": wanted["shingle_words"],
        "threshold": wanted["threshold"],
        "num_perm": wanted["permutations"],
        "b": banding[0],
        "r": banding[1],
        "num_proc": wanted["processes"],
        "output": out.with_suffix(".kept"),
        "cache_dir": out.with_name("cache"),
    }
    return [part for name, value in options.items() for part in (f"--{name}", str(value))]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
