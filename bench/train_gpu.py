"""How much of a GPU's matrix rate training uses: LoRA and QLoRA beside a random model of the shape of Llama 3.1 8B.

    python bench/train_gpu.py [--rows 8] [--rows-at-once 2] [--checkpointing]   # writes bench/results/train_gpu.*
    python bench/train_gpu.py --tiny            # the same with a model of two layers, on any device; writes nothing

First the rate of large matrix products in the precision that training takes here, then steps of the train stages' own
code (adapting.py, losses.py, loop.py) on random tokens. Operations are those that the steps need, by `needed_flops`,
not those that checkpoints compute again; what was computed in all stands beside them. The model is made on the device
in float32, as the stages hold it: 32 GB, before anything is packed.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from results_file import Goal, Outcome, at_least, write

from acclimate.core.params import TrainingParams, load
from acclimate.model.determinism import fix_randomness
from acclimate.model.device import found
from acclimate.model.plan.growth import Growth
from acclimate.model.plan.tracing import Pass, traced
from acclimate.model.precision import has_bfloat16
from acclimate.model.training.adapting import adapter_beside, frozen
from acclimate.model.training.batches import Batches
from acclimate.model.training.loop import Dials, fit
from acclimate.model.training.losses import of_tokens
from acclimate.model.training.nf4 import held_bytes

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import LlamaConfig

WANTED = 0.5
"""Share of the matrix rate that LoRA is to reach."""
UNTIMED = 2
"""Steps at the beginning, which find memory and kernels not ready."""
SECONDS = 1.0
"""How long matrix products are timed."""
PARAMS = Path(__file__).parents[1] / "params.yaml"


@dataclass(frozen=True)
class Size:
    """What is trained, how much of it at once."""

    config: LlamaConfig
    rows: int
    """Sequences per step."""
    rows_at_once: int
    tokens: int
    """Per sequence."""
    steps: int
    """That are timed."""
    side: int
    """Of the square matrices that the matrix rate is measured with."""
    checkpointing: bool


@dataclass(frozen=True)
class Rate:
    """One way to hold the base, trained beside."""

    engine: str
    parameters: int
    step_s: float
    tokens_per_s: float
    needed_tflop: float
    """Of a step, in 10¹² operations."""
    computed_tflop: float
    """Of a step, with what is computed twice, and attention as if it looked ahead."""
    tflop_per_s: float
    """Needed."""
    matrix_share: float
    """Of the measured matrix rate (0–1)."""
    peak_gb: float


def main() -> int:
    """Measure, and write what came out."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--tiny", action="store_true", help="a small model on any device, to see that this runs")
    arguments.add_argument("--rows", type=int, default=8, help="sequences per step")
    arguments.add_argument("--rows-at-once", type=int, default=2)
    arguments.add_argument("--tokens", type=int, default=2048, help="per sequence")
    arguments.add_argument("--steps", type=int, default=6, help="that are timed")
    arguments.add_argument("--checkpointing", action="store_true", help="keep no activations inside a block")
    asked = arguments.parse_args()
    if not asked.tiny and found().type != "cuda":
        print(
            "torch finds no CUDA GPU: nothing is measured and nothing written (--tiny runs anywhere)", file=sys.stderr
        )
        return 2
    params = load(PARAMS)
    fix_randomness(params.common)
    size = Size(large(), asked.rows, asked.rows_at_once, asked.tokens, asked.steps, 8192, asked.checkpointing)
    if asked.tiny:
        size = Size(small(), rows=4, rows_at_once=2, tokens=32, steps=2, side=256, checkpointing=asked.checkpointing)
    matrix = matrix_rate(size.side)
    training = params.training.model_copy(
        update={"strategy": "lora", "gradient_checkpointing": size.checkpointing, "separate_texts": False}
    )
    held = {"LoRA": "float32", "QLoRA": "nf4"}
    rows = [
        measured(name, size, training.model_copy(update={"base_weights": kind}), matrix) for name, kind in held.items()
    ]
    if asked.tiny:
        print(*(asdict(row) for row in rows), sep="\n")
        return 0
    write("train_gpu", outcome(size, training, matrix, rows))
    return 0


def _no_gpu() -> int:
    print("torch finds no CUDA GPU: nothing is measured and nothing written (--tiny runs anywhere)", file=sys.stderr)
    return 2


def large() -> LlamaConfig:
    """The shape of Llama 3.1 8B (Grattafiori et al. 2024, table 3): 8.03 billion parameters."""
    return _config(vocabulary=128_256, hidden=4096, inner=14_336, layers=32, heads=32, keys=8)


def small() -> LlamaConfig:
    """Of the same kind."""
    return _config(vocabulary=512, hidden=128, inner=384, layers=2, heads=4, keys=2)


def _config(*, vocabulary: int, hidden: int, inner: int, layers: int, heads: int, keys: int) -> LlamaConfig:
    from transformers import LlamaConfig

    return LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=hidden,
        intermediate_size=inner,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=keys,
        tie_word_embeddings=False,
    )


def matrix_rate(side: int) -> float:
    """Operations per second of products of square matrices, in the precision that training computes in here."""
    kind = torch.bfloat16 if has_bfloat16(found()) else torch.float32
    left, right = (torch.randn(side, side, device=found(), dtype=kind) for _ in range(2))
    times = 1
    while True:
        finished()
        began = time.perf_counter()
        for _ in range(times):
            left @ right
        finished()
        seconds = time.perf_counter() - began
        if seconds > SECONDS:
            return times * 2 * side**3 / seconds
        times *= 2


def finished() -> None:
    """Wait until the device has done what it was given."""
    if found().type == "cuda":
        torch.cuda.synchronize()


def measured(engine: str, size: Size, training: TrainingParams, matrix: float) -> Rate:
    """Train for some steps."""
    from transformers import AutoModelForCausalLM

    with torch.device(found()):
        bare = AutoModelForCausalLM.from_config(size.config, dtype=torch.float32)
    parameters = bare.num_parameters()
    model = adapter_beside(frozen(bare, training), training)
    if found().type == "cuda":
        torch.cuda.empty_cache()  # what stood there before it was packed
    held = held_bytes(model) + 4 * sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    growth = Growth(found())
    step_s = seconds_per_step(model, size)
    peak = held + growth.bytes()
    one = Pass(size.rows_at_once, size.tokens, learned=1.0, passes=1)
    computed = traced(size.config, training, one).flops * size.rows // size.rows_at_once
    needed = needed_flops(size, training.rank)
    return Rate(
        engine=engine,
        parameters=parameters,
        step_s=round(step_s, 4),
        tokens_per_s=round(size.rows * size.tokens / step_s, 1),
        needed_tflop=float(f"{needed / 1e12:.4g}"),
        computed_tflop=float(f"{computed / 1e12:.4g}"),
        tflop_per_s=float(f"{needed / step_s / 1e12:.4g}"),
        matrix_share=round(needed / step_s / matrix, 4),
        peak_gb=round(peak / 1e9, 3),
    )


def seconds_per_step(model: PeftModel, size: Size) -> float:
    """Mean of the timed steps: forward, backward, clipping and AdamW."""
    steps = UNTIMED + size.steps
    shape = (steps, size.rows, size.tokens)
    ids = np.random.default_rng(0).integers(size.config.vocab_size, size=shape)
    positions = np.broadcast_to(np.arange(size.tokens), shape).copy()
    objective = of_tokens(model, Batches(ids, ids, positions, padding=0), separate=False)
    begun: list[float] = []

    def part(step: int, rows: slice) -> Any:
        if rows.start == 0:
            finished()
            begun.append(time.perf_counter())
        return objective.loss(step, rows)

    fit(model, replace(objective, loss=part), Dials("train_gpu", 1e-4, "linear", 0, size.rows_at_once))
    finished()
    return (time.perf_counter() - begun[UNTIMED]) / size.steps


def needed_flops(size: Size, rank: int) -> int:
    """Operations that a step of LoRA needs, of multiplying matrices alone.

    A matrix of N weights takes 2 N per token on the way forward, as many for the gradient of its input and as many for
    its own (Kaplan et al. 2020, section 2.1); the last is not needed of frozen ones. Attention takes 12 s d per token
    and layer of width d, of s tokens (Chowdhery et al. 2022, appendix B), and half of that where none looks ahead.
    """
    config = size.config
    hidden, inner, layers = config.hidden_size, config.intermediate_size, config.num_hidden_layers
    keys = hidden * config.num_key_value_heads // config.num_attention_heads
    shapes = [(hidden, hidden)] * 2 + [(hidden, keys)] * 2 + [(hidden, inner)] * 3
    frozen_weights = layers * sum(wide * high for wide, high in shapes) + hidden * config.vocab_size
    trained_weights = layers * sum(rank * (wide + high) for wide, high in shapes)
    attention = 6 * layers * size.tokens * hidden
    per_token = 4 * frozen_weights + 6 * trained_weights + attention
    return int(size.rows * size.tokens * per_token)


def outcome(size: Size, training: TrainingParams, matrix: float, rows: list[Rate]) -> Outcome:
    """All of it, and the goal."""
    said = (
        f"{size.rows} sequences of {size.tokens} tokens per step, {size.rows_at_once} at once, LoRA of rank "
        f"{training.rank} on all linear layers of a random Llama of {rows[0].parameters / 1e9:.2f} billion parameters, "
        f"on one {torch.cuda.get_device_name()}, whose matrix rate was {matrix / 1e12:.0f} · 10¹² operations per second"
    )
    versions = {name: importlib.metadata.version(name) for name in ("torch", "transformers", "peft", "bitsandbytes")}
    facts = {"said": said, "checkpointing": size.checkpointing, "matrix_tflop_per_s": round(matrix / 1e12, 1)}
    return Outcome(facts, versions, rows, goals(rows))


def goals(rows: list[Rate]) -> list[Goal]:
    """LoRA's share; QLoRA, which unpacks every matrix for each product, is there to compare."""
    return [at_least("share of the matrix rate, LoRA", WANTED, rows[0].matrix_share)]


if __name__ == "__main__":
    sys.exit(main())
