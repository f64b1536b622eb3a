"""When training is stopped, and with which words."""

from __future__ import annotations

import pytest
import torch

from acclimate.core.errors import UserError
from acclimate.model.training.guards import (
    EXCESS,
    WINDOW,
    no_memory,
    out_of_memory,
    require_convergence,
    require_number,
)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_stops_with_the_step_and_the_dial(value: float) -> None:
    with pytest.raises(UserError, match=f"the loss of training became {value} at step 7") as fault:
        require_number(value, "loss", 7, "train_task")
    assert "train_task.learning_rate" in fault.value.fix


def test_a_loss_that_stays_far_above_the_first_is_divergence() -> None:
    with pytest.raises(UserError, match=f"of the {WINDOW} steps up to step 21 is 6.20, and was 4.00") as fault:
        require_convergence([4.0] * 11 + [6.2] * 10, "train_domain")
    assert "train_domain.learning_rate" in fault.value.fix


@pytest.mark.parametrize(
    "losses",
    [
        [4.0] + [4.0 + EXCESS] * 50,
        [4.0] * 20 + [20.0] + [4.0] * 5,
        [4.0] + [9.0] * (WINDOW - 1),
        [4.0 - step / 100 for step in range(100)],
    ],
)
def test_noise_a_leap_that_comes_back_and_a_bad_beginning_are_not(losses: list[float]) -> None:
    for end in range(1, len(losses) + 1):
        require_convergence(losses[:end], "train_domain")


def test_memory_that_ran_out_is_told_from_other_faults() -> None:
    with pytest.raises(RuntimeError) as ours:
        torch.empty(1 << 50)
    assert out_of_memory(ours.value)
    assert out_of_memory(MemoryError())
    assert out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    with pytest.raises(RuntimeError) as other:
        torch.ones(2) @ torch.ones(3)
    assert not out_of_memory(other.value)


def test_memory_that_runs_out_again_is_the_users_to_mend() -> None:
    assert "ran out again, with 4 sequences" in no_memory(4, halved=True, section="train_task").what
    assert "training.gradient_checkpointing" in no_memory(1, halved=False, section="train_task").fix
