"""One addition to an index, as a process of its own: python bench/index_once.py INDEX TEXTS.parquet [KEPT.npy].

Makes the index when it is not there. Without texts it imports what an addition imports, and ends.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from dedup_once import NEARNESS

from acclimate.data.similarity.near_index import NearIndex
from acclimate.data.similarity.sketches import sketcher, text_batches


def main(directory: str, *files: str) -> int:
    """Add the texts of one file."""
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    if not files:
        sketcher(NEARNESS)
        return 0
    home = Path(directory)
    index = NearIndex.open(home, NEARNESS) if home.exists() else NearIndex.create(home, NEARNESS)
    index.add(text_batches([Path(files[0])]))
    if len(files) > 1:
        np.save(files[1], index.kept())
    return 0


if __name__ == "__main__":
    assert pq  # imported so that it counts among the imports
    sys.exit(main(*sys.argv[1:]))
