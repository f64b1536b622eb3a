"""What was measured of a candidate, kept by its hash and the machine: no other model's seconds, and no other machine's.

    .acclimate/measurements/3f2a…-9c0d1e2f.json
        {"candidate_sha256": "3f2a…", "host": "AMD EPYC 7B13, 2 processors, 24 GB", "latency_ms": 598.7, …}

The folder is in the main checkout, which all runs share. Where `evaluate` comes out of DVC's cache nothing is measured;
then what an earlier run measured here of the same candidate holds, and what the cache's machine measured does not.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict, fields
from pathlib import Path

from acclimate.core.files import read_json, write_json
from acclimate.model.scoring.efficiency import Efficiency, processor

FOLDER = "measurements"
"""In the state of the main checkout."""


def keep(folder: Path, candidate_sha256: str, cost: Efficiency) -> None:
    """Write what was measured of a candidate on this machine; the last measurement is the one that holds."""
    named = {"candidate_sha256": candidate_sha256, "host": host()}
    write_json(_place(folder, candidate_sha256), named | asdict(cost))


def kept(folder: Path, candidate_sha256: str) -> Efficiency | None:
    """What was measured of this candidate on this machine; None if nothing was."""
    path = _place(folder, candidate_sha256)
    found = read_json(path) if path.exists() else {}
    if (found.get("candidate_sha256"), found.get("host")) != (candidate_sha256, host()):
        return None
    return Efficiency(**{field.name: found[field.name] for field in fields(Efficiency)})


def host() -> str:
    """This machine by what its speed depends on; containers on one machine have different names, but not this."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    parts = [processor(), f"{os.cpu_count()} processors", f"{memory:.0f} GB"]
    return ", ".join([*parts, *_graphics_cards()])


def _graphics_cards() -> list[str]:
    """By NVIDIA's driver: the gate asks too, and would need seconds to import torch for it."""
    files = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    return [line.partition(":")[2].strip() for line in lines if line.startswith("Model:")]


def _place(folder: Path, candidate_sha256: str) -> Path:
    return folder / f"{candidate_sha256}-{hashlib.sha256(host().encode()).hexdigest()[:8]}.json"
