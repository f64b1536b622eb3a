"""Several processes take the steps of one, a death among them ends all, and what was begun is gone on with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from acclimate.core.errors import UserError
from acclimate.core.files import sha256
from acclimate.core.params import CommonParams, TrainDomainParams, TrainingParams
from acclimate.model.training.report import Trained
from acclimate.model.training.share import Share

STEPS, ROWS = 40, 3
DIALS = {"processes": 2, "checkpoint_steps": 4, "dropout": 0.0}
STARTED = """
import json, sys
from pathlib import Path
from acclimate.core.params import CommonParams, TrainDomainParams, TrainingParams
from acclimate.model import train_domain

given, root = json.loads(sys.argv[1]), Path(sys.argv[2])
sections = (TrainDomainParams(**given[0]), TrainingParams(**given[1]), CommonParams(**given[2]))
inputs = {name: root for name in ("base", "dataset", "general", "out", "checkpoints")}
train_domain.run(*sections, **inputs)
"""
Train = Callable[..., Trained]


@given(st.integers(1, 40), st.integers(1, 8))
def test_every_row_of_a_step_is_taken_once_and_all_take_about_as_many(rows: int, processes: int) -> None:
    shares = [Share(rank, processes) for rank in range(processes)]
    taken = [list(range(rows))[share.rows(rows)] for share in shares]
    assert [row for of in taken for row in of] == list(range(rows))
    assert max(map(len, taken)) == shares[0].most_rows(rows)
    assert max(map(len, taken)) - min(map(len, taken)) <= 1


@pytest.fixture(scope="module")
def train(train: Train) -> Train:
    """train(folder, dataset=…, **dials): in folder/out, with checkpoints beside it."""

    def run(folder: Path, **dials: object) -> Trained:
        own = {"steps": STEPS, "batch_sequences": ROWS, **DIALS}
        return train(folder / "out", checkpoints=folder / "checkpoints", **{**own, **dials})

    return run


@pytest.fixture(scope="module")
def together(train: Train, tmp_path_factory: pytest.TempPathFactory) -> tuple[Trained, Path]:
    """What two processes made, uninterrupted; one took two rows of every step, the other the third."""
    folder = tmp_path_factory.mktemp("together")
    return train(folder), folder / "out"


def weights(out: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = load_file(out / "adapter_model.safetensors")
    return found


def workers() -> list[psutil.Process]:
    children = psutil.Process().children(recursive=True)
    return [child for child in children if child.is_running() and "acclimate.model.training.worker" in _command(child)]


def _command(process: psutil.Process) -> list[str]:
    try:
        command: list[str] = process.cmdline()
    except psutil.NoSuchProcess:
        return []
    return command


def test_two_processes_take_the_steps_of_one(train: Train, together: tuple[Trained, Path], tmp_path: Path) -> None:
    done, out = together
    alone = train(tmp_path, processes=1)
    assert [step for step, _ in done.loss_curve] == [step for step, _ in alone.loss_curve]
    assert [loss for _, loss in done.loss_curve] == pytest.approx([loss for _, loss in alone.loss_curve], rel=1e-3)
    assert (done.processes, done.rows_at_once) == (2, 2)
    assert (alone.processes, alone.rows_at_once) == (1, 3)
    assert done.trained_tokens == alone.trained_tokens
    for name, weight in weights(tmp_path / "out").items():
        torch.testing.assert_close(weights(out)[name], weight, atol=5e-3, rtol=5e-2)
    assert done.final_loss < done.first_loss - 0.2


def test_two_processes_train_all_weights_as_one_does(train: Train, tmp_path: Path) -> None:
    done, alone = (train(tmp_path / str(n), processes=n, strategy="full") for n in (2, 1))
    assert [loss for _, loss in done.loss_curve] == pytest.approx([loss for _, loss in alone.loss_curve], rel=5e-3)
    assert done.trainable_share == 1
    assert weights(tmp_path / "2/out").keys() == weights(tmp_path / "1/out").keys()


def test_a_killed_process_ends_all_and_the_next_attempt_ends_with_the_same_bytes(
    train: Train, together: tuple[Trained, Path], tmp_path: Path
) -> None:
    with ThreadPoolExecutor(1) as pool:
        attempt = pool.submit(train, tmp_path)
        while not any((tmp_path / "checkpoints").glob("step-*")) and not attempt.done():
            time.sleep(0.005)
        victim = next(one for one in workers() if one.cmdline()[-2] == "1")
        victim.kill()
        with pytest.raises(UserError, match=r"process 2 of 2 was ended by SIGKILL; the others were ended") as fault:
            attempt.result()
    assert "goes on from the last checkpoint" in fault.value.fix
    assert workers() == []
    assert not any((tmp_path / "out").iterdir())
    again = train(tmp_path)
    assert again.adapter_sha256 == together[0].adapter_sha256 == sha256(tmp_path / "out/adapter_model.safetensors")


def test_what_a_process_finds_wrong_is_what_the_stage_says(train: Train, tmp_path: Path) -> None:
    empty = tmp_path / "train.jsonl"
    empty.write_text('{"id": "1", "kind": "domain_questions", "text": "Question: a\\nAnswer: b"}\n', encoding="utf-8")
    with pytest.raises(UserError, match="holds no text of domain_documents or general_replay"):
        train(tmp_path, dataset=empty)
    assert workers() == []


def test_no_process_outlives_the_one_that_started_it(
    domain_params: TrainDomainParams, training_params: TrainingParams, common: CommonParams, tmp_path: Path
) -> None:
    sections = (domain_params, training_params.model_copy(update=DIALS), common)
    command = [sys.executable, "-c", STARTED, json.dumps([one.model_dump() for one in sections]), str(tmp_path)]
    with subprocess.Popen(command) as stage:
        while len(found := workers()) < 2 and stage.poll() is None:
            time.sleep(0.01)
        os.kill(stage.pid, signal.SIGKILL)
    gone, left = psutil.wait_procs(found, timeout=60)
    assert (len(gone), left) == (2, [])
