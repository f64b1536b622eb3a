"""A model spread over two processes takes the steps of one that is whole, and goes on after a kill."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import load_file

from acclimate.core.errors import UserError
from acclimate.model.training.report import Trained
from acclimate.model.training.sharding import clip

STEPS = 20
SPREAD = {"processes": 2, "sharding": "fsdp"}
Train = Callable[..., Trained]


@pytest.fixture
def train(train: Train) -> Train:
    """train(folder, **dials): in folder/out, with checkpoints beside it."""

    def run(folder: Path, **dials: object) -> Trained:
        own = {"steps": STEPS, "learning_rate": 0.003, "checkpoint_steps": 4}
        return train(folder / "out", checkpoints=folder / "checkpoints", **{**own, **dials})

    return run


def weights(folder: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = load_file(folder / "out/adapter_model.safetensors")
    return found


@pytest.mark.parametrize("strategy", ["lora", "dora", "full"])
def test_the_steps_are_those_of_a_whole_model(strategy: str, train: Train, tmp_path: Path) -> None:
    spread, whole = tmp_path / "spread", tmp_path / "whole"
    done, alone = train(spread, strategy=strategy, **SPREAD), train(whole, strategy=strategy)
    assert [loss for _, loss in done.loss_curve] == pytest.approx([loss for _, loss in alone.loss_curve], rel=2e-3)
    assert done.final_loss < done.first_loss - 0.1
    assert weights(spread).keys() == weights(whole).keys()
    for name, weight in weights(whole).items():
        torch.testing.assert_close(weights(spread)[name], weight, atol=5e-3, rtol=5e-2)
    assert done.trainable_parameters == alone.trainable_parameters
    assert done.base_bytes < 0.8 * alone.base_bytes, "a process holds a part of the frozen weights"


def test_a_killed_process_ends_all_and_the_next_attempt_ends_with_the_same_bytes(train: Train, tmp_path: Path) -> None:
    uninterrupted, killed = tmp_path / "uninterrupted", tmp_path / "killed"
    expected = train(uninterrupted, strategy="full", **SPREAD)
    with ThreadPoolExecutor(1) as pool:
        attempt = pool.submit(train, killed, strategy="full", **SPREAD)
        while not any((killed / "checkpoints").glob("step-*")) and not attempt.done():
            time.sleep(0.005)
        _second_worker().kill()
        with pytest.raises(UserError, match=r"process 2 of 2 was ended by SIGKILL"):
            attempt.result()
    assert not any((killed / "out").iterdir())
    assert train(killed, strategy="full", **SPREAD).adapter_sha256 == expected.adapter_sha256


def _second_worker() -> psutil.Process:
    own = psutil.Process().children(recursive=True)
    return next(one for one in own if "acclimate.model.training.worker" in one.cmdline() and one.cmdline()[-2] == "1")


def test_gradients_are_clipped_as_torch_does() -> None:
    torch.manual_seed(0)
    ours = [torch.nn.Parameter(torch.zeros(3, 4)), torch.nn.Parameter(torch.zeros(5))]
    theirs = [torch.nn.Parameter(torch.zeros_like(weight)) for weight in ours]
    for weight, same in zip(ours, theirs, strict=True):
        weight.grad = torch.randn_like(weight)
        same.grad = weight.grad.clone()
    assert clip(ours, 0.5) == pytest.approx(float(torch.nn.utils.clip_grad_norm_(theirs, 0.5)))
    for weight, same in zip(ours, theirs, strict=True):
        torch.testing.assert_close(weight.grad, same.grad)
