"""One of the processes of a train stage: started by processes.py, never by hand.

python -m acclimate.model.training.worker FOLDER RANK PARENT
"""

from __future__ import annotations

import importlib
import os
import sys
from contextlib import redirect_stdout
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

from acclimate.core import params
from acclimate.core.errors import UserError
from acclimate.core.files import read_json, write_json
from acclimate.core.libraries import set_aside
from acclimate.core.supervise import end_with_parent

JOB, REPORT, MEETING = "job.json", "report.json", "meeting"
"""In the folder that the processes share: what they are to do, what came of it, and where they find each other."""
PATIENCE = timedelta(hours=2)
"""For another process: it may be measuring general text, or reading a large base, while this one waits."""


def fault_file(folder: Path, rank: int) -> Path:
    """Where a process leaves what a user can put right."""
    return folder / f"fault-{rank}.json"


def main() -> int:
    """Take the share of RANK in the job in FOLDER."""
    folder, rank, parent = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    end_with_parent()
    set_aside("bitsandbytes")
    if os.getppid() != parent:  # it died before it could be heeded
        return 1
    try:
        with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
            if rank == 0:
                _take_part(folder, rank)
            else:
                with redirect_stdout(nowhere):
                    _take_part(folder, rank)
    except UserError as fault:
        write_json(fault_file(folder, rank), {"what": fault.what, "why": fault.why, "fix": fault.fix})
        return 1
    return 0


def _take_part(folder: Path, rank: int) -> None:
    import torch
    from torch import distributed

    job = read_json(folder / JOB)
    distributed.init_process_group(
        "nccl" if torch.cuda.is_available() else "gloo",
        init_method=f"file://{folder / MEETING}",
        rank=rank,
        world_size=job["processes"],
        timeout=PATIENCE,
    )
    sections = [getattr(params, kind).model_validate(dials) for kind, dials in job["sections"]]
    inputs = {name: Path(path) for name, path in job["inputs"].items()}
    report = importlib.import_module(job["module"]).run(*sections, **inputs)
    if rank == 0:
        write_json(folder / REPORT, asdict(report))
    distributed.destroy_process_group()


if __name__ == "__main__":
    sys.exit(main())
