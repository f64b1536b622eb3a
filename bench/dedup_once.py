"""One pass of acclimate's dedup over one Parquet file, as a process of its own: what bench/dedup.py takes the time of.

    python bench/dedup_once.py INPUT.parquet OUTPUT.parquet KEPT.npy --threads 1

OUTPUT has the texts that are kept, KEPT says of every text whether it is.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa

from acclimate.data.similarity.copies import find_copies
from acclimate.data.similarity.kept import write_kept
from acclimate.data.similarity.sketches import Nearness

NEARNESS = Nearness(threshold=0.8, shingle_words=5, seed=1729)


def main() -> int:
    """Deduplicate, write what is kept."""
    parser = argparse.ArgumentParser()
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("mask", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    pa.set_cpu_count(arguments.threads)
    pa.set_io_thread_count(1)
    with TemporaryDirectory(dir=arguments.out.parent) as scratch:
        copies = find_copies([arguments.source], NEARNESS, scratch=Path(scratch), threads=arguments.threads)
    write_kept(arguments.source, copies, arguments.out, threads=arguments.threads)
    np.save(arguments.mask, copies.kept)
    return 0


if __name__ == "__main__":
    sys.exit(main())
