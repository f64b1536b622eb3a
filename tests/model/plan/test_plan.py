"""`acclimate plan`, from the dials to the table."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from transformers import LlamaConfig

from acclimate.cli import main
from acclimate.core.files import write_json
from acclimate.core.params import Params, load, with_changes
from acclimate.model.plan.jobs import job
from acclimate.model.plan.machine import Machine, machine
from acclimate.model.plan.planning import plan
from acclimate.model.plan.table import table

ROOT = Path(__file__).parents[3]
SMALL = {
    "base.hidden": 64,
    "base.layers": 2,
    "base.heads": 2,
    "base.vocabulary": 500,
    "common.threads": 1,
    "train_domain.batch_sequences": 4,
    "train_task.batch_sequences": 4,
}

TWO = {"processes": 2}


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """Those of a checkout of its own, in which nothing has run."""
    text = with_changes((ROOT / "params.yaml").read_text(encoding="utf-8"), SMALL)
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return load(tmp_path / "params.yaml")


def test_a_plan_says_what_it_will_take_and_how_long(params: Params, config: LlamaConfig, here: Machine) -> None:
    found = plan(config, params, here)
    domain, task = found.stages
    assert (domain.stage, domain.tokens) == ("train_domain", 150 * 4 * 256)
    assert (domain.rows_at_once, domain.passes) == (4, 1)
    assert domain.peak == sum(domain.memory.values()) > domain.memory["activations"] > 0
    assert domain.seconds is not None
    assert task.seconds is not None
    assert domain.seconds == pytest.approx(3 * task.seconds, rel=0.05)
    assert found.advice == []
    shown = table(found)
    for said in ("trainable parameters", "train_domain", "activations", "held by the allocator", "endpoint"):
        assert said in shown


def test_processes_share_the_sequences_and_the_memory_of_the_cpu(
    params: Params, config: LlamaConfig, here: Machine
) -> None:
    shared = params.model_copy(update={"training": params.training.model_copy(update=TWO)})
    planned = job("train_domain", params.train_domain, config, shared.training)
    assert (planned.one.rows, planned.one.passes, planned.tokens) == (2, 1, 150 * 4 * 256)
    assert plan(config, shared, replace(here, free=2 * planned.peak - 1)).advice != []


def test_too_little_memory_is_said_with_the_dials_that_suffice(
    params: Params, config: LlamaConfig, here: Machine
) -> None:
    training = params.training.model_copy(update={"rows_at_once": 2})
    enough = job("train_domain", params.train_domain, config, training).peak
    found = plan(config, params, replace(here, free=enough))
    assert "train_domain needs" in found.advice[0]
    assert "set training.rows_at_once to 2, which takes" in found.advice[0]
    assert found.rate is None
    assert found.stages[0].seconds is None


def test_where_one_sequence_is_too_much_checkpoints_are_advised_too(
    params: Params, config: LlamaConfig, here: Machine
) -> None:
    smallest = {"rows_at_once": 1, "gradient_checkpointing": True}
    enough = job("train_domain", params.train_domain, config, params.training.model_copy(update=smallest)).peak
    found = plan(config, params, replace(here, free=enough))
    assert "set training.rows_at_once to 1 and training.gradient_checkpointing to true" in found.advice[0]
    nothing = plan(config, params, replace(here, free=enough - 1))
    assert "lower train_domain.sequence_tokens" in nothing.advice[0]


def test_what_the_task_adapter_learns_is_known_from_the_last_run(params: Params, config: LlamaConfig) -> None:
    before = job("train_task", params.train_task, config, params.training)
    write_json(Path("reports/train_task.json"), {"trained": {"learned_tokens": 300, "trained_tokens": 400}})
    after = job("train_task", params.train_task, config, params.training)
    assert (before.one.learned, after.one.learned) == (1.0, 0.75)
    assert after.memory["logits and loss"] < before.memory["logits and loss"]


def test_a_stage_that_is_off_is_not_planned(params: Params, config: LlamaConfig, here: Machine) -> None:
    off = params.train_task.model_copy(update={"enabled": False})
    found = plan(config, params.model_copy(update={"train_task": off}), replace(here, free=0))
    assert [stage.stage for stage in found.stages] == ["train_domain"]


def test_a_packaged_adapter_has_the_ranks_of_all_that_it_is_composed_of(
    params: Params, config: LlamaConfig, here: Machine
) -> None:
    packaged = params.model_copy(update={"package": params.package.model_copy(update={"weights": "adapter"})})
    found = plan(config, packaged, replace(here, free=0))
    assert found.serving.adapter == 2 * 4 * found.base.trainable
    assert f"up to {params.endpoint.most_adapters + 3} adapters of" in table(found)
    full = packaged.model_copy(update={"training": params.training.model_copy(update={"strategy": "full"})})
    whole = plan(config, full, replace(here, free=0))
    assert whole.serving.adapter == 4 * whole.base.trainable
    assert "adapters of" not in table(plan(config, params, replace(here, free=0)))


def test_as_json_it_is_the_plan_and_nothing_else(params: Params, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["base"]["vocabulary"] == 500
    assert printed["stages"][0]["memory"]["weights"] == pytest.approx(4 * printed["base"]["parameters"], abs=1000)


def test_what_no_memory_suffices_for_ends_with_two(params: Params, capsys: pytest.CaptureFixture[str]) -> None:
    text = with_changes(
        Path("params.yaml").read_text(), {"train_domain.batch_sequences": 20_000, "train_domain.steps": 1}
    )
    Path("params.yaml").write_text(text)
    assert main(["plan"]) == 2
    assert "set training.rows_at_once to" in capsys.readouterr().out


def test_the_machine_has_some_memory_free(here: Machine) -> None:
    found = machine()
    assert 0 < found.free <= found.memory
    assert found.precision in ("float32", "bfloat16")
