r"""What an answer costs on this machine: latency, tokens per second, peak memory.

    measure(model, tokenizer, ["Question: What does numpy.argsort do?\nAnswer:"], new_tokens=32, batch_items=16)

Seconds differ between two equal runs, so none of this is in a report that DVC hashes: it is kept by candidate and
machine (measurements.py), and means something only beside other measurements on the machine it names.
"""

from __future__ import annotations

import os
import platform
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from acclimate.model.generation import complete, mark_tokens

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Efficiency:
    """Of one model on one machine."""

    machine: str
    requests: int
    """Prompts answered, first one at a time and then together."""
    latency_p50_ms: float
    """Of one prompt alone, until its answer has ended."""
    latency_ms: float
    """Its 95th percentile: what a budget is set for."""
    tokens_per_second: float
    """New tokens of all prompts together, in batches."""
    memory_mb: float
    """Peak of the process, libraries and everything scored before included; on a GPU, of its memory."""


def measure(
    model: Any, tokenizer: Any, prompts: Sequence[str], *, ends: Sequence[str], new_tokens: int, batch_items: int
) -> Efficiency:
    """Time the answers to `prompts`.

    Args:
        model: a transformers causal language model in evaluation mode.
        tokenizer: its tokenizer.
        prompts: texts to complete.
        ends: marks that end an answer beside the end of the text.
        new_tokens: the longest answer.
        batch_items: prompts per forward pass of the batched measurement.
    """
    encoded: list[list[int]] = tokenizer(list(prompts))["input_ids"]
    stop = tokenizer.bos_token_id if tokenizer.eos_token_id is None else tokenizer.eos_token_id
    stops = [stop, *mark_tokens(tokenizer, ends)]

    def seconds(tokens: Sequence[list[int]], size: int) -> tuple[float, int]:
        started = time.perf_counter()
        written = complete(model, tokens, stops=stops, max_new_tokens=new_tokens, batch_items=size)
        return time.perf_counter() - started, sum(map(len, written))

    seconds(encoded[:1], 1)  # the first call pays for memory and kernels that later ones find ready
    alone = [1000 * seconds([tokens], 1)[0] for tokens in encoded]
    together, generated = seconds(encoded, batch_items)
    return Efficiency(
        machine=machine(model.device),
        requests=len(encoded),
        latency_p50_ms=round(float(np.quantile(alone, 0.5)), 1),
        latency_ms=round(float(np.quantile(alone, 0.95)), 1),
        tokens_per_second=round(generated / together, 1),
        memory_mb=round(_peak_memory(model), 1),
    )


def machine(device: torch.device) -> str:
    """What computes: the GPU, or the CPU with the threads that a model may use of it."""
    import torch

    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    return f"{processor()}, {torch.get_num_threads()} of {os.cpu_count()} threads"


def processor() -> str:
    """What the CPU calls itself."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _peak_memory(model: Any) -> float:
    import torch

    if model.device.type == "cuda":
        return float(torch.cuda.max_memory_allocated(model.device)) / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6  # Linux counts in KiB
