"""A train stage as several processes: each takes its share of every step's rows, and they end with one adapter.

    if to_be_shared(training):
        return shared(__name__, (params, training, common), inputs, TrainReport)

The stage's own function is run in every process, with the same dials and the same files; only the first writes. One
that dies takes the others with it, and so does the death of the process that started them.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeVar

from acclimate.core.errors import UserError
from acclimate.core.files import read_json, write_json
from acclimate.model.training.share import own_share
from acclimate.model.training.worker import JOB, REPORT, fault_file

if TYPE_CHECKING:
    from acclimate.core.params import TrainingParams
    from acclimate.core.params.fields import Section

Report = TypeVar("Report")

POLL_SECONDS = 0.1
PATIENCE_SECONDS = 5.0
"""Between the request to end and the order."""


def to_be_shared(training: TrainingParams) -> bool:
    """Whether the stage is to be run as several processes, and this is not one of them."""
    return training.processes > 1 and own_share().processes == 1


def shared(module: str, sections: Sequence[Section], inputs: Mapping[str, Path], kind: type[Report]) -> Report:
    """The report of `module.run(*sections, **inputs)`, run as `training.processes` processes.

    Raises:
        UserError: if there are fewer GPUs than processes, one of the processes raised it, or one ended otherwise.
    """
    from pydantic import TypeAdapter

    (processes,) = [section.processes for section in sections if hasattr(section, "processes")]
    _require_devices(processes)
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        job = {
            "module": module,
            "sections": [[type(section).__name__, section.model_dump(mode="json")] for section in sections],
            "inputs": {name: str(path) for name, path in inputs.items()},
            "processes": processes,
        }
        write_json(folder / JOB, job)
        _all_done(folder, processes)
        return TypeAdapter(kind).validate_json((folder / REPORT).read_bytes())


def _require_devices(processes: int) -> None:
    import torch

    if torch.cuda.is_available() and torch.cuda.device_count() < processes:
        raise UserError(
            f"training.processes is {processes}, and there are {torch.cuda.device_count()} GPUs",
            why="every process computes on a GPU of its own",
            fix="lower training.processes to the number of GPUs",
        )


def _all_done(folder: Path, processes: int) -> None:
    """Start the processes and return when all have ended well; whatever happens, none is left."""
    command = [sys.executable, "-m", "acclimate.model.training.worker", str(folder)]
    workers: list[subprocess.Popen[bytes]] = []
    try:
        for rank in range(processes):
            workers.append(subprocess.Popen([*command, str(rank), str(os.getpid())], env=_environment(rank)))
        while any(worker.poll() is None for worker in workers):
            if any(worker.poll() for worker in workers):
                break
            time.sleep(POLL_SECONDS)
        codes = [worker.poll() for worker in workers]
    finally:
        _end(workers)
    if any(codes):
        raise _fault(folder, codes)


def _environment(rank: int) -> dict[str, str]:
    """Of a process: it sees one GPU, if there are any, so that nothing in it can take another's for its own."""
    import torch

    # Gloo would look the machine's own name up to find its address; here all are on one machine.
    environment = {"GLOO_SOCKET_IFNAME": "lo", **os.environ}
    if torch.cuda.is_available():
        seen = os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(torch.cuda.device_count())))
        environment["CUDA_VISIBLE_DEVICES"] = seen.split(",")[rank]
    return environment


def _end(workers: Sequence[subprocess.Popen[bytes]]) -> None:
    """Ask those that still run to end, and end those that do not."""
    for worker in workers:
        worker.terminate()
    until = time.monotonic() + PATIENCE_SECONDS
    for worker in workers:
        try:
            worker.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()


def _fault(folder: Path, codes: Sequence[int | None]) -> UserError:
    """What a process said, or how the first that failed ended; one that waited for it in vain fails too."""
    told = [file for rank in range(len(codes)) if (file := fault_file(folder, rank)).exists()]
    if told:
        fault = read_json(told[0])
        return UserError(fault["what"], why=fault["why"], fix=fault["fix"])
    killed = [rank for rank, code in enumerate(codes) if code is not None and code < 0]
    rank = killed[0] if killed else next(rank for rank, code in enumerate(codes) if code)
    code = codes[rank] or 0
    how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"failed with status {code}"
    return UserError(
        f"process {rank + 1} of {len(codes)} {how}; the others were ended",
        why="every step is the sum of what all of them find",
        fix="run the stage again: it goes on from the last checkpoint. If it was SIGKILL, memory may have run out: "
        "lower training.rows_at_once or training.processes",
    )
