"""By how much the memory of this process grows at most, from now on.

    growth = Growth(torch.device("cpu"))
    …
    growth.bytes()      # 560_000_000

On a CPU that is resident memory, which is more than what tensors are alive: glibc 2.36 seldom gives a freed block to a
request of the same size that wants to be aligned, as all of torch's do (sourceware.org bug 14581, mended in 2.38). On a
GPU it is what torch's allocator has reserved.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

PROCESS = Path("/proc/self")


class Growth:
    """From when it is made."""

    def __init__(self, device: torch.device) -> None:
        import torch

        self._device = device
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            self._before = torch.cuda.memory_reserved(device)
        else:
            (PROCESS / "clear_refs").write_text("5", encoding="ascii")  # the peak is what is resident now (man 5 proc)
            self._before = _status("VmRSS")

    def bytes(self) -> int:
        """At most, until now."""
        import torch

        if self._device.type == "cuda":
            return torch.cuda.max_memory_reserved(self._device) - self._before
        return _status("VmHWM") - self._before


def _status(name: str) -> int:
    """A size in /proc/self/status, in bytes."""
    lines = (PROCESS / "status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))
