"""What a stage uses of the machine while it works: processor, memory, and memory of the GPU.

    with measured() as usage:
        …
    usage["memory_mb"]      # [412.0, 1790.3, …], one value per sample

Sampled for this process and those it started, into timings/<stage>.json; `register` gives the series to MLflow.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SECONDS = 2.0
"""Between samples at first; a sample of a few processes takes some milliseconds."""
MOST = 400
"""Samples kept: when there are more, every second one goes and the pause doubles."""

Usage = dict[str, list[float]]
"""`seconds` since the start, and as many values of `cpu_percent` (100 is one core), `memory_mb` and `gpu_memory_mb`."""


@contextmanager
def measured(seconds: float = SECONDS) -> Iterator[Usage]:
    """Sample until the block ends; what is yielded fills meanwhile and has at least one sample afterwards."""
    usage: Usage = {"seconds": [], "cpu_percent": [], "memory_mb": [], "gpu_memory_mb": []}
    end = threading.Event()
    sampler = threading.Thread(target=_sample_until, args=(end, usage, seconds), daemon=True)
    sampler.start()
    try:
        yield usage
    finally:
        end.set()
        sampler.join()


def _sample_until(end: threading.Event, usage: Usage, pause: float) -> None:
    spent: dict[int, float] = {}
    begun = last = time.perf_counter()
    before, _ = _look(spent)
    ended = False
    while not ended:  # what is looked at last is the end
        ended = end.wait(pause)
        now = time.perf_counter()
        seconds, memory = _look(spent)
        usage["seconds"].append(round(now - begun, 1))
        usage["cpu_percent"].append(round(100 * (seconds - before) / max(now - last, 1e-6), 1))
        usage["memory_mb"].append(round(memory / 1e6, 1))
        usage["gpu_memory_mb"].append(round(_reserved_on_gpu() / 1e6, 1))
        before, last = seconds, now
        if len(usage["seconds"]) > MOST:
            for values in usage.values():
                del values[::2]
            pause *= 2


def _look(spent: dict[int, float]) -> tuple[float, float]:
    """Seconds of processor time of the family so far, and its resident bytes now.

    Args:
        spent: process id to its seconds when it was last seen; what has ended keeps them. It is updated.
    """
    import psutil

    memory = 0.0
    own = psutil.Process()
    for process in [own, *own.children(recursive=True)]:
        try:
            times, resident = process.cpu_times(), process.memory_info().rss
        except psutil.NoSuchProcess:  # it ended since it was listed
            continue
        spent[process.pid] = times.user + times.system
        memory += resident  # pages that processes share count once for each
    return sum(spent.values()), memory


def _reserved_on_gpu() -> float:
    """Bytes that torch has reserved on all GPUs; 0 where the stage uses no torch, or no GPU."""
    cuda: Any = getattr(sys.modules.get("torch"), "cuda", None)
    # torch may be in the middle of its import in the stage's own thread.
    if not getattr(cuda, "is_initialized", bool)():
        return 0.0
    return float(sum(cuda.memory_reserved(device) for device in range(cuda.device_count())))
