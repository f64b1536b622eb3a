from __future__ import annotations

import json
from pathlib import Path

import pytest
from safetensors.torch import load_file

from acclimate.core.errors import UserError
from acclimate.core.files import sha256
from acclimate.core.params import CommonParams, TrainParams
from acclimate.model import train
from acclimate.model.adapter import load_tokenizer
from acclimate.model.packing import stream, token_ids


def changed(params: TrainParams, **values: object) -> TrainParams:
    return params.model_copy(update=values)


def test_training_lowers_the_loss_in_exactly_the_steps_asked(
    train_params: TrainParams, common: CommonParams, tiny_base: Path, dataset: Path, tmp_path: Path
) -> None:
    report = train.run(changed(train_params, steps=30), common, base=tiny_base, dataset=dataset, out=tmp_path)
    assert report.final_loss < report.first_loss - 0.2
    assert report.steps == report.loss_curve[-1][0] == 30
    assert report.trained_tokens == 30 * 2 * 32


def test_the_report_counts_the_adapter_and_the_data(
    train_params: TrainParams, common: CommonParams, tiny_base: Path, dataset: Path, tmp_path: Path
) -> None:
    report = train.run(train_params, common, base=tiny_base, dataset=dataset, out=tmp_path)
    texts = [json.loads(line)["text"] for line in dataset.read_text(encoding="utf-8").splitlines()]
    weights = load_file(tmp_path / "adapter_model.safetensors")
    assert report.trainable_parameters == sum(weight.numel() for weight in weights.values())
    assert len(weights) == 2 * 7 * 2  # A and B of seven linear layers in two blocks
    assert report.texts == len(texts)
    assert report.dataset_tokens == len(stream(token_ids(load_tokenizer(tiny_base), texts)))
    assert report.adapter_sha256 == sha256(tmp_path / "adapter_model.safetensors")


def test_only_the_adapter_is_written_and_it_names_no_machine(tiny_adapter: Path) -> None:
    assert sorted(path.name for path in tiny_adapter.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    config = json.loads((tiny_adapter / "adapter_config.json").read_text(encoding="utf-8"))
    assert config["base_model_name_or_path"] == "artifacts/base"
    assert config["target_modules"] == sorted(config["target_modules"])
    assert "lm_head" not in config["target_modules"]
    assert "/tmp" not in json.dumps(config)  # noqa: S108


@pytest.mark.parametrize(("strategy", "key"), [("rslora", "use_rslora"), ("dora", "use_dora")])
def test_every_strategy_trains_and_says_so_in_the_adapter(
    strategy: str,
    key: str,
    train_params: TrainParams,
    common: CommonParams,
    tiny_base: Path,
    dataset: Path,
    tmp_path: Path,
) -> None:
    params = changed(train_params, strategy=strategy, schedule="linear", steps=3)
    report = train.run(params, common, base=tiny_base, dataset=dataset, out=tmp_path)
    assert json.loads((tmp_path / "adapter_config.json").read_text(encoding="utf-8"))[key] is True
    assert report.strategy == strategy
    assert any("magnitude" in name for name in load_file(tmp_path / "adapter_model.safetensors")) == (key == "use_dora")


def test_a_dataset_too_small_for_the_steps_is_repeated_and_the_report_says_so(
    train_params: TrainParams, common: CommonParams, tiny_base: Path, dataset: Path, tmp_path: Path
) -> None:
    small = tmp_path / "train.jsonl"
    small.write_text(dataset.read_text(encoding="utf-8").splitlines()[0] + "\n", encoding="utf-8")
    report = train.run(train_params, common, base=tiny_base, dataset=small, out=tmp_path)
    assert report.repeated
    assert report.epochs == pytest.approx(report.trained_tokens / report.dataset_tokens, abs=1e-3)
    assert "repeated" in report.headline()


def test_the_order_of_the_file_is_the_order_of_training(
    train_params: TrainParams, common: CommonParams, tiny_base: Path, dataset: Path, tmp_path: Path
) -> None:
    backwards = tmp_path / "train.jsonl"
    lines = dataset.read_text(encoding="utf-8").splitlines()
    backwards.write_text("\n".join(reversed(lines)) + "\n", encoding="utf-8")
    there, back = tmp_path / "there", tmp_path / "back"
    forwards = train.run(train_params, common, base=tiny_base, dataset=dataset, out=there)
    reversed_ = train.run(train_params, common, base=tiny_base, dataset=backwards, out=back)
    assert forwards.adapter_sha256 != reversed_.adapter_sha256
    assert forwards.dataset_tokens == reversed_.dataset_tokens


def test_an_absurd_learning_rate_stops_with_the_step_and_the_dial(
    train_params: TrainParams, common: CommonParams, tiny_base: Path, dataset: Path, tmp_path: Path
) -> None:
    params = changed(train_params, learning_rate=1e30, warmup_share=0.0)
    with pytest.raises(UserError, match=r"at step \d+") as fault:
        train.run(params, common, base=tiny_base, dataset=dataset, out=tmp_path)
    assert "train.learning_rate" in fault.value.fix


def test_weights_that_break_in_the_last_step_are_noticed(
    train_params: TrainParams, common: CommonParams, tiny_base: Path, dataset: Path, tmp_path: Path
) -> None:
    params = changed(train_params, learning_rate=float("inf"), warmup_share=0.0, steps=1)
    with pytest.raises(UserError, match="at step 1"):
        train.run(params, common, base=tiny_base, dataset=dataset, out=tmp_path)


def test_an_empty_dataset_is_the_users_fault(
    train_params: TrainParams, common: CommonParams, tiny_base: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "train.jsonl"
    empty.write_text("", encoding="utf-8")
    with pytest.raises(UserError, match="holds no text"):
        train.run(train_params, common, base=tiny_base, dataset=empty, out=tmp_path)


def test_a_base_that_is_no_model_is_refused(
    train_params: TrainParams, common: CommonParams, dataset: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="holds no model"):
        train.run(train_params, common, base=tmp_path, dataset=dataset, out=tmp_path)
