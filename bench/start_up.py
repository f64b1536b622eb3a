"""Seconds a person waits before anything happens: `acclimate --help`, light stages, `dvc repro` with nothing to do.

    python bench/start_up.py          # in a checkout where `dvc repro` has run; writes bench/results/start_up.json

Each command runs REPEATS times; the median is reported, beside the machine's load while it ran.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

REPEATS = 5
LIGHT_STAGES = ("ingest", "clean", "split", "dedup", "decontaminate", "mix", "gate")
RESULT = Path(__file__).parent / "results/start_up.json"


def median_seconds(command: list[str]) -> float:
    """Median wall-clock seconds of a command that succeeds."""
    seconds = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - begun)
    return round(statistics.median(seconds), 3)


def start_up_seconds(stage: str) -> float:
    """What a run of the stage itself reports as start-up."""
    subprocess.run(["acclimate", stage], check=True)
    timing = json.loads((Path("timings") / f"{stage}.json").read_text(encoding="utf-8"))
    return round(float(timing["start_up_s"]), 3)


def measure() -> dict[str, Any]:
    """Everything this benchmark claims, in seconds."""
    subprocess.run(["dvc", "repro"], check=True)
    return {
        "acclimate --help": median_seconds(["acclimate", "--help"]),
        "dvc repro, nothing to do": median_seconds(["dvc", "repro"]),
        "start-up of stages": {stage: start_up_seconds(stage) for stage in LIGHT_STAGES},
    }


def main() -> int:
    """Measure in the current checkout and write the result."""
    result = {
        "command": "python bench/start_up.py",
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "seconds": measure(),
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
