from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from safetensors.torch import load_file

from acclimate.core.errors import UserError
from acclimate.core.files import sha256
from acclimate.core.params import CommonParams, TrainDomainParams, TrainingParams
from acclimate.model import train_domain
from acclimate.model.adapter import load_tokenizer
from acclimate.model.composing.changes import read_changes
from acclimate.model.packing import stream, token_ids
from acclimate.model.training.report import Trained

Train = Callable[..., Trained]


@pytest.fixture
def train(train: Train, tmp_path: Path) -> Train:
    """train(steps=…, strategy=…, dataset=…, base=…, out=…): with these dials changed."""
    return partial(train, out=tmp_path, checkpoints=tmp_path / "checkpoints")


def test_training_lowers_the_loss_in_exactly_the_steps_asked(train: Train) -> None:
    done = train(steps=30)
    assert done.final_loss < done.first_loss - 0.2
    assert done.steps == done.loss_curve[-1][0] == 30
    assert done.trained_tokens == 30 * 2 * 32


def test_the_report_counts_the_adapter_and_the_raw_texts(
    train: Train, dataset: Path, tiny_base: Path, tmp_path: Path
) -> None:
    done = train()
    rows = [json.loads(line) for line in dataset.read_text(encoding="utf-8").splitlines()]
    texts = [row["text"] for row in rows if row["kind"] != "domain_questions"]
    assert len(texts) < len(rows)
    weights = load_file(tmp_path / "adapter_model.safetensors")
    assert done.trainable_parameters == sum(weight.numel() for weight in weights.values())
    assert len(weights) == 2 * 7 * 2  # A and B of seven linear layers in two blocks
    assert done.texts == len(texts)
    assert done.dataset_tokens == len(stream(token_ids(load_tokenizer(tiny_base), texts)))
    assert done.learned_tokens == 6 * 2 * 31, "all but the first token of every sequence"
    assert done.adapter_sha256 == sha256(tmp_path / "adapter_model.safetensors")


def test_only_the_adapter_is_written_and_it_names_no_machine(tiny_adapter: Path) -> None:
    assert sorted(path.name for path in tiny_adapter.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    config = json.loads((tiny_adapter / "adapter_config.json").read_text(encoding="utf-8"))
    assert config["base_model_name_or_path"] == "artifacts/base"
    assert config["target_modules"] == sorted(config["target_modules"])
    assert "lm_head" not in config["target_modules"]
    assert "/tmp" not in json.dumps(config)  # noqa: S108


@pytest.mark.parametrize(("strategy", "key"), [("rslora", "use_rslora"), ("dora", "use_dora")])
def test_every_strategy_trains_and_says_so_in_the_adapter(
    strategy: str, key: str, train: Train, tmp_path: Path
) -> None:
    done = train(strategy=strategy, schedule="linear", steps=3)
    assert json.loads((tmp_path / "adapter_config.json").read_text(encoding="utf-8"))[key] is True
    assert done.strategy == strategy
    assert any("magnitude" in name for name in load_file(tmp_path / "adapter_model.safetensors")) == (key == "use_dora")


def test_a_dataset_too_small_for_the_steps_is_repeated_and_the_report_says_so(
    train: Train, dataset: Path, tmp_path: Path
) -> None:
    small = tmp_path / "train.jsonl"
    small.write_text(dataset.read_text(encoding="utf-8").splitlines()[0] + "\n", encoding="utf-8")
    done = train(dataset=small)
    assert done.repeated
    assert done.epochs == pytest.approx(done.trained_tokens / done.dataset_tokens, abs=1e-3)


def test_the_order_of_the_file_is_the_order_of_training(train: Train, dataset: Path, tmp_path: Path) -> None:
    backwards = tmp_path / "train.jsonl"
    lines = dataset.read_text(encoding="utf-8").splitlines()
    backwards.write_text("\n".join(reversed(lines)) + "\n", encoding="utf-8")
    forwards = train(out=tmp_path / "there")
    reversed_ = train(dataset=backwards, out=tmp_path / "back")
    assert forwards.adapter_sha256 != reversed_.adapter_sha256
    assert forwards.dataset_tokens == reversed_.dataset_tokens


def test_an_absurd_learning_rate_stops_with_the_step_and_the_dial(train: Train) -> None:
    with pytest.raises(UserError, match=r"at step \d+") as fault:
        train(learning_rate=1e30, warmup_share=0.0)
    assert "train_domain.learning_rate" in fault.value.fix


def test_weights_that_break_in_the_last_step_are_noticed(train: Train) -> None:
    with pytest.raises(UserError, match="at step 1"):
        train(learning_rate=float("inf"), warmup_share=0.0, steps=1)


def test_a_dataset_without_raw_text_is_the_users_fault(train: Train, tmp_path: Path) -> None:
    empty = tmp_path / "train.jsonl"
    empty.write_text('{"id": "1", "kind": "domain_questions", "text": "Question: a\\nAnswer: b"}\n', encoding="utf-8")
    with pytest.raises(UserError, match="holds no text of domain_documents or general_replay"):
        train(dataset=empty)


def test_a_base_that_is_no_model_is_refused(train: Train, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no model"):
        train(base=tmp_path)


def test_a_stage_that_is_off_says_so_and_needs_no_model(
    domain_params: TrainDomainParams, training_params: TrainingParams, common: CommonParams, tmp_path: Path
) -> None:
    params = domain_params.model_copy(update={"enabled": False})
    nothing = tmp_path / "not there"
    inputs = {"base": nothing, "dataset": nothing, "general": nothing, "checkpoints": nothing}
    report = train_domain.run(params, training_params, common, **inputs, out=tmp_path)
    assert (report.trained, report.headline()) == (None, "off: train_domain.enabled is false in params.yaml")
    assert [path.name for path in tmp_path.iterdir()] == ["off.json"]
    assert json.loads((tmp_path / "off.json").read_text())["off"] == "train_domain.enabled is false in params.yaml"


def test_a_heavy_penalty_keeps_the_weights_where_they_were(train: Train, tmp_path: Path) -> None:
    free, held = tmp_path / "free", tmp_path / "held"
    assert train(out=free, steps=20).penalty is None
    done = train(out=held, steps=20, penalty="l2_sp", penalty_weight=100.0)
    assert squared_change(held) < squared_change(free) / 4
    assert done.penalty == "L2-SP, weight 100"


def test_what_general_text_needs_is_measured_and_its_cost_reported(train: Train, tmp_path: Path) -> None:
    free, held = train(out=tmp_path / "free"), train(out=tmp_path / "held", penalty="ewc", penalty_weight=1e4)
    assert free.adapter_sha256 != held.adapter_sha256
    assert held.penalty is not None
    assert held.penalty.startswith("EWC, weight 10000, measured on ")
    assert held.penalty_cost is not None
    assert held.penalty_cost > 0


def squared_change(adapter: Path) -> float:
    return sum(float((up @ down).square().sum()) for up, down in read_changes(adapter).values())


def test_the_replays_order_changes_what_is_learned_when_and_nothing_else(train: Train, tmp_path: Path) -> None:
    even, falling = train(out=tmp_path / "even"), train(out=tmp_path / "falling", replay_order="falling")
    assert (even.texts, even.dataset_tokens) == (falling.texts, falling.dataset_tokens)
    assert even.adapter_sha256 != falling.adapter_sha256


def test_beside_a_base_in_four_bits_the_loss_falls_and_the_bytes_are_the_same_twice(
    train: Train, tmp_path: Path
) -> None:
    whole = train(out=tmp_path / "whole", steps=30)
    once, again = (train(out=tmp_path / name, steps=30, base_weights="nf4") for name in ("once", "again"))
    assert once.final_loss < once.first_loss - 0.2
    assert once.adapter_sha256 == again.adapter_sha256 != whole.adapter_sha256
    assert once.first_loss == pytest.approx(whole.first_loss, abs=0.1), "four bits are nearly the base"
    assert (whole.base_weights, once.base_weights) == ("float32", "nf4")
    assert once.trainable_parameters == whole.trainable_parameters
    assert once.trainable_share == whole.trainable_share, "two weights in a byte count as two"
    assert once.base_bytes < whole.base_bytes - 3 * once.trainable_parameters


@pytest.mark.parametrize("dials", [{"strategy": "dora"}, {"penalty": "l2_sp"}, {"gradient_checkpointing": True}])
def test_what_else_there_is_works_beside_four_bits(train: Train, dials: dict[str, object]) -> None:
    done = train(steps=20, base_weights="nf4", **dials)
    assert done.final_loss < done.first_loss - 0.1
