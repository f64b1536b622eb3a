"""A run that was killed ends with the bytes of one that was not; nothing made of something else is gone on from."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from acclimate.core.params import CommonParams, TrainDomainParams, TrainingParams
from acclimate.model.training.checkpoints import Journal, Position
from acclimate.model.training.report import Trained

STEPS, EVERY = 12, 3
KILLED = """
import json, os, signal, sys
from pathlib import Path

import bitsandbytes, peft, torch, transformers
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from acclimate.core.params import CommonParams, TrainDomainParams, TrainingParams
from acclimate.model import train_domain
from acclimate.model.training.checkpoints import Journal

given, base, dataset, root = json.loads(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4])
sections = (TrainDomainParams(**given[0]), TrainingParams(**given[1]), CommonParams(**given[2]))
places = {"before": register_optimizer_step_pre_hook, "after": register_optimizer_step_post_hook}

def attempt(name, place=None, step=0):
    # Forked before torch has computed anything: a child with one thread of its own, and no imports to wait for.
    out, checkpoints = root / f"{name}-out", root / f"{name}-checkpoints"
    out.mkdir(exist_ok=True)
    child = os.fork()
    if child == 0:
        taken = []
        def die(*_):
            taken.append(1)
            if len(taken) == step:
                os.kill(os.getpid(), signal.SIGKILL)
        if place is not None:
            places[place](die)
        train_domain.run(*sections, base=base, dataset=dataset, general=dataset, out=out, checkpoints=checkpoints)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    adapter = out / "adapter_model.safetensors"
    return status, adapter.read_bytes().hex() if adapter.exists() else None

found = {"whole": attempt("whole")}
for place, step in json.loads(sys.argv[5]):
    name = f"{place}-{step}"
    found[name] = [attempt(name, place, step)[0], *attempt(name)]
found["twice"] = [attempt("twice", "after", 5)[0] and attempt("twice", "before", 4)[0], *attempt("twice")]
print(json.dumps(found))
"""
DEATHS = (("before", 1), ("after", 3), ("before", 4), ("after", 7), ("before", 12), ("after", 12))
Train = Callable[..., Trained]


@pytest.fixture
def train(train: Train, tmp_path: Path) -> Train:
    """train(dataset=…, **dials): with checkpoints every EVERY steps."""
    return partial(train, tmp_path, checkpoints=tmp_path / "checkpoints", steps=STEPS, checkpoint_steps=EVERY)


def checkpoints(folder: Path) -> list[int]:
    """The steps of which `folder` holds a checkpoint."""
    return sorted(int(path.stem.split("-")[1]) for path in (folder / "checkpoints").glob("step-*.safetensors"))


def newest(folder: Path) -> Path:
    return max((folder / "checkpoints").glob("step-*.safetensors"))


@pytest.mark.parametrize(
    ("dials", "deaths"),
    [({}, DEATHS), ({"base_weights": "nf4"}, DEATHS[2:4]), ({"strategy": "full"}, DEATHS[2:4])],
    ids=["lora", "nf4", "full"],
)
def test_a_run_killed_at_any_step_ends_with_the_same_bytes(
    dials: dict[str, str],
    deaths: tuple[tuple[str, int], ...],
    domain_params: TrainDomainParams,
    training_params: TrainingParams,
    common: CommonParams,
    tiny_base: Path,
    dataset: Path,
    tmp_path: Path,
) -> None:
    sections = [
        domain_params.model_copy(update={"steps": STEPS}),
        # With dropout the generator's state matters too.
        training_params.model_copy(update={"checkpoint_steps": EVERY, "dropout": 0.1, **dials}),
        common,
    ]
    given = json.dumps([section.model_dump() for section in sections])
    command = [sys.executable, "-c", KILLED, given, str(tiny_base), str(dataset), str(tmp_path), json.dumps(deaths)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    found = json.loads(done.stdout.splitlines()[-1])
    status, whole = found.pop("whole")
    assert (status, bool(whole)) == (0, True)
    assert len(found) == len(deaths) + 1
    for name, (killed, again, adapter) in found.items():
        assert (killed, again) == (9, 0), name
        assert adapter == whole, name
    resumed = [done.stdout.count(f"going on after step {step}\n") for step in (3, 9)]
    late = sum(step == 12 for _, step in deaths)
    assert resumed == [2, late], "what was killed after step 3 had not written its own yet"


def test_two_checkpoints_are_kept_and_none_of_the_end(train: Train, tmp_path: Path) -> None:
    train()
    assert checkpoints(tmp_path) == [6, 9]


def test_a_truncated_newest_checkpoint_falls_back_to_the_one_before(
    train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = train()
    torn = newest(tmp_path)
    torn.write_bytes(torn.read_bytes()[:-100])
    assert train() == whole
    said = capsys.readouterr().out
    assert f"{torn.name} is not whole" in said
    assert "going on after step 6" in said


def test_a_changed_byte_is_noticed_too(train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = train()
    for path in (tmp_path / "checkpoints").glob("step-*"):
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
    assert train() == whole
    assert "going on" not in capsys.readouterr().out


def test_other_data_start_from_the_beginning_and_say_so(
    train: Train, dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train()
    other = tmp_path / "train.jsonl"
    other.write_text("".join(reversed(dataset.read_text(encoding="utf-8").splitlines(keepends=True))), encoding="utf-8")
    train(dataset=other)
    assert "the checkpoint of step 9 was made with other data: from the beginning" in capsys.readouterr().out


def test_other_dials_start_from_the_beginning_and_say_so(train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    train()
    fresh = train(learning_rate=0.02)
    assert "was made with other params: from the beginning" in capsys.readouterr().out
    assert len(fresh.loss_curve) == STEPS


def test_everything_that_the_next_step_depends_on_comes_back(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    model(torch.rand(4, 3)).sum().backward()
    optimizer.step()
    journal = Journal(tmp_path / "checkpoints", {"data": "a"}, every=1)
    position = Position(1, [2.5], rows_at_once=4, halved=True)
    journal.write(position, model, optimizer)
    weight, moments, drawn = model.weight.detach().clone(), optimizer.state_dict()["state"], torch.rand(2)

    other = torch.nn.Linear(3, 2)
    another = torch.optim.AdamW(other.parameters(), lr=0.1)
    assert journal.resume(other, another) == position
    assert torch.equal(other.weight, weight)
    assert torch.equal(torch.rand(2), drawn)
    for place, state in another.state_dict()["state"].items():
        for name, value in state.items():
            np.testing.assert_array_equal(value.numpy(), moments[place][name].numpy())


def test_what_was_being_written_when_the_process_died_is_no_checkpoint(tmp_path: Path) -> None:
    model = torch.nn.Linear(3, 2)
    (tmp_path / "partial").write_bytes(b"half")
    journal = Journal(tmp_path, {}, every=1)
    assert journal.resume(model, torch.optim.AdamW(model.parameters())) is None
