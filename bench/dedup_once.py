"""One pass of acclimate's dedup over one Parquet file, as a process of its own: what bench/dedup.py takes the time of.

    python bench/dedup_once.py INPUT.parquet OUTPUT.parquet KEPT.npy --threads 1

OUTPUT has the texts that are kept, KEPT says of every text whether it is. With --after SMALLER.parquet that is
deduplicated first, and what the pass takes after it is printed: {"pass_cpu_s": 2.1}, without imports and loading the
machine code.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa

from acclimate.data.similarity.copies import Copies, find_copies
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
    parser.add_argument("--after", type=Path)
    arguments = parser.parse_args()
    pa.set_cpu_count(arguments.threads)
    pa.set_io_thread_count(1)
    if arguments.after is not None:
        deduplicate(arguments.after, arguments.out, arguments.threads)
    begun = time.process_time()
    copies = deduplicate(arguments.source, arguments.out, arguments.threads)
    print(json.dumps({"pass_cpu_s": round(time.process_time() - begun, 3)}))
    np.save(arguments.mask, copies.kept)
    return 0


def deduplicate(source: Path, out: Path, threads: int) -> Copies:
    """Write what is kept of one file."""
    with TemporaryDirectory(dir=out.parent) as scratch:
        copies = find_copies([source], NEARNESS, scratch=Path(scratch), threads=threads)
    write_kept(source, copies, out, threads=threads)
    return copies


if __name__ == "__main__":
    sys.exit(main())
