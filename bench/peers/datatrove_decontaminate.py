"""datatrove's NGramsDecontFilter over the same texts; run by the interpreter of bench/.peers/datatrove-decontaminate.

    python -m venv bench/.peers/datatrove-decontaminate
    bench/.peers/datatrove-decontaminate/bin/pip install -r bench/peers/datatrove_decontaminate.txt
    …/bin/python datatrove_decontaminate.py ITEMS.json FOLDER ROWS TEXTS.parquet …

The index is written as NGramsDecontIndexer writes it, with its own tokeniser and hash: the step itself wants
lighteval, which fetches the benchmarks it knows.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from datatrove.data import Document
from datatrove.pipeline.decont.n_grams import NGramsDecontConfig, NGramsDecontFilter
from datatrove.utils.hashing import create_hash_func
from datatrove.utils.text import ngrams, simplify_text

WORDS = 13


def main() -> int:
    """Write the index, filter the texts and print the ids of those that go."""
    items, folder, rows, *texts = sys.argv[1:]
    config = NGramsDecontConfig(n_grams=WORDS)
    engine = NGramsDecontFilter(folder, config)
    hash_of = create_hash_func(config.hash_config)
    hashes = {
        hash_of(" ".join(gram))
        for item in json.loads(Path(items).read_text(encoding="utf-8"))
        for gram in ngrams(engine.tokenizer.word_tokenize(simplify_text(item, config.norm_config)), WORDS)
    }
    index = np.array(sorted(hashes), dtype=config.hash_config.np_descr)
    index.tofile(Path(folder) / "items.index.hashes")
    found = []
    megabytes, left = 0.0, int(rows)
    for path in texts:
        for batch in pq.ParquetFile(path).iter_batches(min(4096, max(1, left)), columns=["id", "text"]):
            for row in batch.to_pylist():
                megabytes += len(row["text"].encode()) / 1e6
                if engine.filter(Document(text=row["text"], id=row["id"])) is not True:
                    found.append(row["id"])
            left -= batch.num_rows
            if left <= 0:
                break
    print(json.dumps({"megabytes": megabytes, "found": found}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
