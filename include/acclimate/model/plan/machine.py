"""The device that training will use, and how much memory is free on it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from acclimate.model.device import found

CGROUP = Path("/sys/fs/cgroup")
"""Where a container's own limit stands (Linux, control groups version 2)."""


@dataclass(frozen=True)
class Machine:
    """What training will run on."""

    device: str
    """'cpu' or 'cuda'."""
    name: str
    memory: int
    """Bytes there are."""
    free: int
    """Bytes nobody uses, this process's own already taken off."""
    precision: str
    """'bfloat16' (mixed) or 'float32'."""


def machine() -> Machine:
    """The machine at hand, as it is now."""
    import torch

    from acclimate.model.precision import has_bfloat16
    from acclimate.model.scoring.efficiency import machine as named

    device = found()
    free, memory = torch.cuda.mem_get_info() if device.type == "cuda" else _main_memory()
    precision = "bfloat16" if has_bfloat16(device) else "float32"
    return Machine(device.type, named(device), memory, free, precision)


def _main_memory() -> tuple[int, int]:
    """Bytes free and in all, of the machine or of the container, whichever has less."""
    import psutil

    memory = psutil.virtual_memory()
    limit = _number(CGROUP / "memory.max")
    if limit is None or limit >= memory.total:
        return memory.available, memory.total
    # What files are kept in memory without being in use gives way (kernel documentation, "Control Group v2").
    stat = dict(line.split() for line in (CGROUP / "memory.stat").read_text(encoding="ascii").splitlines())
    used = int((CGROUP / "memory.current").read_text(encoding="ascii")) - int(stat["inactive_file"])
    return min(memory.available, limit - used), limit


def _number(file: Path) -> int | None:
    """What stands in the file; None where there is none, or it says 'max'."""
    text = file.read_text(encoding="ascii").strip() if file.exists() else "max"
    return None if text == "max" else int(text)
