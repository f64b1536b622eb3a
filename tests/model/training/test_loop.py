"""The steps are those of a plain loop over peft's own model, however they are cut up."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import PeftModel

from acclimate.core.params import CommonParams, TrainDomainParams, TrainingParams
from acclimate.model.adapter import load_base, load_tokenizer
from acclimate.model.determinism import fix_randomness
from acclimate.model.training.batches import Batches, Shape, packed_whole
from acclimate.model.training.loop import MAX_GRADIENT_NORM, Dials, fit, learning_rate_share
from acclimate.model.training.lora import with_adapter
from acclimate.model.training.losses import of_tokens
from acclimate.model.training.texts import conversations, read_rows, with_replay

DIALS = Dials("train_task", 0.01, "cosine", warmup_steps=1, rows_at_once=4)
LIMITED = """
import json, os, resource, sys
from pathlib import Path

import peft, torch, transformers

from acclimate.core.params import CommonParams, TrainDomainParams, TrainingParams
from acclimate.model import train_domain

given, base, dataset, root = json.loads(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4])
common = CommonParams(**given[2])

def memory(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))

def attempt(rows, limit=None):
    # A forked child: its memory, and its limit, are its own.
    read, write = os.pipe()
    if os.fork() == 0:
        before = memory("VmSize")
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_AS, (before + limit,) * 2)
        out = root / f"{rows}-{limit}"
        out.mkdir()
        training = TrainingParams(**{**given[1], "rows_at_once": rows})
        inputs = {"base": base, "dataset": dataset, "general": dataset, "checkpoints": out / "checkpoints"}
        done = train_domain.run(TrainDomainParams(**given[0]), training, common, **inputs, out=out).trained
        found = [memory("VmPeak") - before, done.rows_at_once, done.halved, done.loss_curve]
        os.write(write, json.dumps(found).encode())
        os._exit(0)
    os.close(write)
    return json.loads(os.read(read, 1 << 20))

whole, half = attempt(512), attempt(256)
# Near what half the rows take: under a limit malloc makes do with less than it takes where there is none.
print(json.dumps([whole, half, attempt(512, limit=(whole[0] + 3 * half[0]) // 4)]))
"""
Fit = Callable[..., tuple[list[float], dict[str, torch.Tensor]]]


@pytest.fixture
def batches(tiny_base: Path, dataset: Path) -> Batches:
    """Six steps of four rows, with pairs of which only the answers are learned."""
    pairs = conversations(load_tokenizer(tiny_base), read_rows(dataset, ("domain_questions",)), "plain")
    return packed_whole(with_replay(pairs, [], 0.0), Shape(steps=6, rows=4, tokens=160), pad=2)


@pytest.fixture
def fitted(tiny_base: Path, training_params: TrainingParams, common: CommonParams, batches: Batches) -> Fit:
    """fitted(separate=…, **dials): losses and trained weights after all batches."""

    def run(*, separate: bool = False, **dials: object) -> tuple[list[float], dict[str, torch.Tensor]]:
        fix_randomness(common)
        model = with_adapter(load_base(tiny_base), training_params)
        objective = of_tokens(model, batches, separate=separate)
        losses = fit(model, objective, replace(DIALS, **dials)).losses  # type: ignore[arg-type]
        return losses, trained(model)

    return run


def trained(model: PeftModel) -> dict[str, torch.Tensor]:
    return {name: weight.detach() for name, weight in model.named_parameters() if weight.requires_grad}


def test_the_steps_are_those_of_a_plain_loop_over_the_models_own_loss(
    fitted: Fit, tiny_base: Path, training_params: TrainingParams, common: CommonParams, batches: Batches
) -> None:
    fix_randomness(common)
    model = with_adapter(load_base(tiny_base), training_params).train()
    optimizer = torch.optim.AdamW([weight for weight in model.parameters() if weight.requires_grad], weight_decay=0.0)
    expected = []
    for step, (ids, labels) in enumerate(zip(batches.ids, batches.labels, strict=True)):
        optimizer.param_groups[0]["lr"] = 0.01 * learning_rate_share(step, 6, DIALS)
        loss = model(input_ids=torch.from_numpy(ids), labels=torch.from_numpy(labels)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), MAX_GRADIENT_NORM)
        optimizer.step()
        optimizer.zero_grad()
        expected.append(float(loss.detach()))
    losses, weights = fitted()
    assert losses == pytest.approx(expected, rel=1e-4)
    for name, weight in trained(model).items():
        torch.testing.assert_close(weights[name], weight, atol=1e-3, rtol=1e-2)


@pytest.mark.parametrize("rows", [1, 3])
def test_fewer_rows_at_once_take_the_same_steps(rows: int, fitted: Fit) -> None:
    losses, _ = fitted(rows_at_once=rows)
    assert losses == pytest.approx(fitted()[0], rel=1e-4)


def test_texts_kept_apart_are_learned_as_if_each_stood_alone(
    tiny_base: Path, training_params: TrainingParams, common: CommonParams, batches: Batches, fitted: Fit, dataset: Path
) -> None:
    tokenizer = load_tokenizer(tiny_base)
    pairs = conversations(tokenizer, read_rows(dataset, ("domain_questions",)), "plain")
    model = load_base(tiny_base)
    held = int((batches.ids[0] == tokenizer.bos_token_id).sum())
    losses = []
    for example in pairs[:held]:
        ids = torch.tensor([example.ids[:160]])  # a longer one than a row is cut there
        logits = model(input_ids=ids).logits[0, example.learned_from - 1 : -1].log_softmax(dim=-1)
        losses += (-logits.gather(1, ids[0, example.learned_from :, None])).flatten().tolist()
    assert fitted(separate=True)[0][0] == pytest.approx(sum(losses) / len(losses), rel=1e-4)
    assert fitted(separate=False)[0][0] != pytest.approx(sum(losses) / len(losses), rel=1e-4)


def test_a_penalty_pulls_at_the_weights_and_is_not_in_the_loss(
    tiny_base: Path, training_params: TrainingParams, common: CommonParams, batches: Batches, fitted: Fit
) -> None:
    def weight_decay(model: PeftModel) -> torch.Tensor:
        return 100.0 * torch.stack([weight.square().sum() for weight in trained_weights(model)]).sum()

    def trained_weights(model: PeftModel) -> list[torch.Tensor]:
        return [weight for weight in model.parameters() if weight.requires_grad]

    fix_randomness(common)
    model = with_adapter(load_base(tiny_base), training_params)
    losses = fit(model, of_tokens(model, batches, separate=False), DIALS, penalty=weight_decay).losses
    free, weights = fitted()
    assert losses[0] == free[0]
    squares = [sum(float(weight.square().sum()) for weight in of.values()) for of in (trained(model), weights)]
    assert squares[0] < squares[1]


@pytest.mark.parametrize(("schedule", "half"), [("cosine", 0.5), ("linear", 0.5)])
def test_the_learning_rate_rises_to_its_peak_and_falls_to_nothing(schedule: str, half: float) -> None:
    dials = replace(DIALS, schedule=schedule, warmup_steps=10)  # type: ignore[arg-type]
    rates = [learning_rate_share(step, 110, dials) for step in range(111)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == rates[10] == 1.0
    assert rates[60] == pytest.approx(half)
    assert rates[110] == pytest.approx(0.0)
    assert all(math.isfinite(rate) for rate in rates)


def test_memory_that_runs_out_halves_the_rows_at_once_and_the_report_says_so(
    domain_params: TrainDomainParams,
    training_params: TrainingParams,
    common: CommonParams,
    tiny_base: Path,
    dataset: Path,
    tmp_path: Path,
) -> None:
    changes = {"steps": 2, "batch_sequences": 512, "sequence_tokens": 64, "warmup_share": 0.0}
    sections = [domain_params.model_copy(update=changes), training_params, common]
    given = json.dumps([section.model_dump() for section in sections])
    command = [sys.executable, "-c", LIMITED, given, str(tiny_base), str(dataset), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    (_, rows, halved, losses), _, (_, fewer, said, limited) = json.loads(done.stdout.splitlines()[-1])
    assert (rows, halved, fewer, said) == (512, False, 256, True)
    assert re.search(r"memory ran out at step [12]: on with 256 sequences per forward pass", done.stdout)
    assert [loss for _, loss in limited] == pytest.approx([loss for _, loss in losses], abs=2e-3)
