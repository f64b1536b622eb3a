"""The GPU's benchmark takes real steps on any device; what it divides by is what such steps compute."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import torch

BENCH = Path(__file__).parents[3] / "bench/train_gpu.py"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(BENCH), *arguments], capture_output=True, text=True)


def test_a_small_model_is_trained_beside_whole_and_packed_weights() -> None:
    done = run("--tiny")
    assert done.returncode == 0, done.stderr
    lora, qlora = (ast.literal_eval(line) for line in done.stdout.splitlines()[-2:])
    assert (lora["engine"], qlora["engine"]) == ("LoRA", "QLoRA")
    assert lora["parameters"] == qlora["parameters"]
    for row in (lora, qlora):
        assert row["matrix_share"] > 0
        assert row["tokens_per_s"] == pytest.approx(4 * 32 / row["step_s"], rel=0.01)
        assert row["needed_tflop"] / row["step_s"] == pytest.approx(row["tflop_per_s"], rel=0.02)
        # Nobody needs the first layer's gradient of its input, which counts for little where there are more layers.
        assert row["computed_tflop"] == pytest.approx(row["needed_tflop"], rel=0.15)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU to measure")
def test_without_a_gpu_it_says_so_and_writes_nothing() -> None:
    results = BENCH.parent / "results"
    before = sorted(results.iterdir())
    done = run()
    assert done.returncode == 2
    assert "torch finds no CUDA GPU: nothing is measured and nothing written" in done.stderr
    assert sorted(results.iterdir()) == before
