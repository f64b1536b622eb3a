"""One addition to an index, as a process of its own, which is made when it is not there.

    python bench/index_once.py INDEX TEXTS.parquet [KEPT.npy]
    python bench/index_once.py --alone INDEX TEXTS.parquet      # {"addition_cpu_s": 0.4}; INDEX stays as it is

With --alone it says what the addition takes where another has gone before it: imports and loading the machine code
are what a process begins with, not what texts cost.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
from dedup_once import NEARNESS

from acclimate.data.similarity.near_index import NearIndex
from acclimate.data.similarity.sketches import text_batches


def main(directory: str, texts: str, kept: str | None = None) -> int:
    """Add the texts of one file."""
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    home = Path(directory)
    index = NearIndex.open(home, NEARNESS) if home.exists() else NearIndex.create(home, NEARNESS)
    index.add(text_batches([Path(texts)]))
    if kept is not None:
        np.save(kept, index.kept())
    return 0


def alone(directory: str, texts: str) -> int:
    """Add the texts of one file to two copies of an index, and say what the second addition took."""
    for _ in range(2):
        with TemporaryDirectory(dir=Path(directory).parent) as scratch:
            shutil.copytree(directory, scratch, dirs_exist_ok=True)
            begun = time.process_time()
            main(scratch, texts)
            took = time.process_time() - begun
    print(json.dumps({"addition_cpu_s": round(took, 3)}))
    return 0


if __name__ == "__main__":
    sys.exit(alone(*sys.argv[2:]) if sys.argv[1] == "--alone" else main(*sys.argv[1:]))
