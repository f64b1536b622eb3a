"""How OpenMP's threads should wait for each other: a training process alone on the machine, and two beside each other.

    python bench/waiting.py [--artifacts artifacts] [--steps 12]

reads the base and the training set of a finished run. Every way trains the same steps in processes of their own
(bench/train_once.py, our loop), alone and two at the same time; the ways take turns, so that a busy machine is busy
for each of them.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from results_file import Goal, Outcome, at_most, write

from acclimate.core.waiting import SPINS

ONCE = Path(__file__).with_name("train_once.py")
ASLEEP, BRIEF, LONG, OWN = "asleep at once", "as the stages wait", "50,000 turns", "GNU's own"
WAYS = {ASLEEP: {"OMP_WAIT_POLICY": "PASSIVE"}, BRIEF: SPINS, LONG: {"GOMP_SPINCOUNT": "50000"}, OWN: {}}
ROUNDS = 3


@dataclass(frozen=True)
class Waited:
    """What training took with one way to wait: medians over the rounds."""

    way: str
    alone_s: float
    alone_cpu_s: float
    two_at_once_s: float
    """Of the slower of the two."""


def main() -> int:
    """Measure every way, and write the result."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--artifacts", type=Path, default=Path("artifacts"))
    parser.add_argument("--steps", type=int, default=12)
    arguments = parser.parse_args()
    command = [sys.executable, str(ONCE), "acclimate", str(arguments.artifacts), str(arguments.steps)]
    alone: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    both: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(ROUNDS):
        for way, settings in WAYS.items():
            alone[way] += _trained(command, settings, processes=1)
            both[way].append(max(found["wall_s"] for found in _trained(command, settings, processes=2)))
    rows = [
        Waited(way, _median(alone[way], "wall_s"), _median(alone[way], "cpu_s"), round(median(both[way]), 3))
        for way in WAYS
    ]
    said = f"{arguments.steps} steps of train_domain on the embedded base; medians of {ROUNDS} rounds"
    versions = {"torch": importlib.metadata.version("torch")}
    write("waiting", Outcome({"said": said, "ways": WAYS}, versions, rows, goals(rows)))
    return 0


def _trained(command: list[str], settings: dict[str, str], *, processes: int) -> list[dict[str, float]]:
    """What each of some processes that began together said it took."""
    kept = {name: value for name, value in os.environ.items() if name not in ("OMP_WAIT_POLICY", *SPINS)}
    begun = [
        subprocess.Popen(command, env=kept | settings, stdout=subprocess.PIPE, text=True) for _ in range(processes)
    ]
    said = [process.communicate()[0] for process in begun]
    for process in begun:
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command)
    return [json.loads(text.splitlines()[-1]) for text in said]


def _median(found: list[dict[str, float]], what: str) -> float:
    return round(median(of[what] for of in found), 3)


def goals(rows: list[Waited]) -> list[Goal]:
    """Ours is to be near the best, whichever that is, on a machine of its own and on one that is shared."""
    ours = next(row for row in rows if row.way == BRIEF)
    alone, both = (min(getattr(row, of) for row in rows) for of in ("alone_s", "two_at_once_s"))
    return [
        at_most("alone, times the fastest way", 1.1, round(ours.alone_s / alone, 3)),
        at_most("two at once, times the fastest way", 1.1, round(ours.two_at_once_s / both, 3)),
    ]


if __name__ == "__main__":
    sys.exit(main())
