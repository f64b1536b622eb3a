"""One pass of dedup's engine spark over one Parquet file, as a process of its own, with the cluster that it runs on.

    python bench/spark_once.py INPUT.parquet KEPT.npy --workers 2      # a standalone master and two workers on loopback
    python bench/spark_once.py INPUT.parquet KEPT.npy --threads 2      # local[2]

Master and workers are processes of this one, each in a session of its own, and are ended by their ids.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from dedup_once import NEARNESS

from acclimate.data.engines import spark
from acclimate.data.engines.environments import engine_python

WORKER_MEMORY = "1500m"
START_SECONDS = 120.0


@contextmanager
def cluster(workers: int, directory: Path) -> Iterator[str]:
    """The address of a master with workers of one core each."""
    python = engine_python(spark.ENGINE)
    home = python.parents[1] / "lib/python3.11/site-packages/pyspark"
    port = _free_port()
    address = f"spark://127.0.0.1:{port}"
    own = ["--host", "127.0.0.1", "--webui-port", "0"]
    master = ["org.apache.spark.deploy.master.Master", *own, "--port", str(port)]
    worker = ["org.apache.spark.deploy.worker.Worker", *own, "--cores", "1", "--memory", WORKER_MEMORY]
    with ExitStack() as running:
        running.enter_context(_process(home, python, master, directory / "master"))
        _wait_for(port)
        for number in range(workers):
            place = directory / f"worker-{number}"
            running.enter_context(_process(home, python, [*worker, "--work-dir", str(place), address], place))
        yield address


@contextmanager
def _process(home: Path, python: Path, arguments: list[str], place: Path) -> Iterator[None]:
    place.mkdir()
    # The master's REST server takes jobs from whoever reaches it, on one port for all.
    own = {"SPARK_LOCAL_DIRS": str(place), "SPARK_MASTER_OPTS": "-Dspark.master.rest.enabled=false"}
    environment = {**spark.environment(python, "local"), "SPARK_HOME": str(home), **own}
    with (place / "log").open("wb") as log:
        command = [str(home / "bin/spark-class"), *arguments]
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert time.monotonic() < deadline, f"no master on port {port} after {START_SECONDS:g} s"
        time.sleep(0.1)


def main() -> int:
    """Deduplicate, and say of every text whether it is kept."""
    parser = argparse.ArgumentParser()
    parser.add_argument("source", type=Path)
    parser.add_argument("mask", type=Path)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--threads", type=int)
    where.add_argument("--workers", type=int)
    arguments = parser.parse_args()
    # Driver and executors of the cluster, too, are on this machine alone.
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    with TemporaryDirectory(dir=arguments.mask.parent) as name, ExitStack() as running:
        master = f"local[{arguments.threads}]"
        if arguments.workers:
            master = running.enter_context(cluster(arguments.workers, Path(name)))
        scratch = Path(name) / "scratch"
        scratch.mkdir()
        (copies,), _ = spark.find_each([arguments.source], NEARNESS, scratch=scratch, master=master)
    np.save(arguments.mask, copies.kept)
    return 0


if __name__ == "__main__":
    sys.exit(main())
