"""dedup on Spark: the same kernels, rules and result as `local`, with the work spread over a cluster's cores.

What runs there is in spark_job.py. Driver and workers need this checkout, the environment `spark` and the files of the
stage at the same paths: on this machine (local[n]) they have them, a cluster needs a shared disk. Memory and cores of
the executors are set where Spark looks for them, in $SPARK_CONF_DIR/spark-defaults.conf.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

import acclimate
from acclimate.core.files import read_json, write_json
from acclimate.data.engines import process, spark_job
from acclimate.data.engines.environments import engine_python, java_home
from acclimate.data.similarity.copies import Copies
from acclimate.data.similarity.sketches import Banding, Nearness

ENGINE = "spark"


def find_each(paths: Sequence[Path], nearness: Nearness, *, scratch: Path, master: str) -> tuple[list[Copies], Banding]:
    """What Spark finds in each of these files.

    Args:
        paths: Parquet files with `text` and what survivors are chosen by.
        nearness: What counts as near.
        scratch: An empty directory that the workers see too.
        master: Spark's address of the cluster, or local[n].

    Raises:
        UserError: if Spark's environment was not made, or the job fails.
    """
    request = {
        "paths": [str(path.absolute()) for path in paths],
        "scratch": str(scratch.absolute()),
        "nearness": asdict(nearness),
        "master": master,
    }
    write_json(scratch / "request.json", request)
    python = engine_python(ENGINE)
    command = [str(python), "-m", spark_job.__name__, str(scratch / "request.json")]
    process.run(ENGINE, command, environment(python, master), files=len(paths), scratch=scratch)
    records = read_json(scratch / "answer.json")
    return [_copies(scratch / f"gone-{number}", count) for number, count in enumerate(records)], nearness.banding


def environment(python: Path, master: str) -> dict[str, str]:
    """What Spark's processes on this machine see, driver and executors alike."""
    ours = {
        "JAVA_HOME": str(java_home(python)),
        "PYTHONPATH": str(Path(acclimate.__file__).parents[1]),
        "PYTHONSAFEPATH": "1",
        "PYSPARK_PYTHON": str(python),
    }
    # On one machine nobody else needs to reach it.
    alone = {"SPARK_LOCAL_IP": "127.0.0.1"} if master.startswith("local") else {}
    return {**os.environ, **ours, **alone}


def _copies(found: Path, records: int) -> Copies:
    import pyarrow.parquet as pq

    table = pq.read_table(found).sort_by("record")
    gone, stay, similarity = (table[name].to_numpy() for name in ("record", "survivor", "similarity"))
    return Copies(records, gone.astype(np.int64), stay.astype(np.int64), similarity)
