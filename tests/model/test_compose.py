"""What is composed is the very model that the last adapter was trained in."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from acclimate.core.errors import UserError
from acclimate.core.files import sha256, write_json
from acclimate.core.params import CommonParams, TrainDomainParams, TrainingParams, TrainTaskParams
from acclimate.model import compose, train_domain, train_task
from acclimate.model.adapter import attach, load_adapted, load_base

IDS = torch.arange(3, 27).reshape(2, 12)


def logits(model: torch.nn.Module) -> torch.Tensor:
    with torch.inference_mode():
        result: torch.Tensor = model.eval()(input_ids=IDS).logits
    return result


@pytest.fixture(scope="module", params=["lora", "rslora", "dora"])
def trained(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    domain_params: TrainDomainParams,
    task_params: TrainTaskParams,
    training_params: TrainingParams,
    common: CommonParams,
    tiny_base: Path,
    dataset: Path,
) -> tuple[Path, Path]:
    """The folders of a domain adapter and of a task adapter of another rank, trained upon it."""
    domain, task = tmp_path_factory.mktemp("domain"), tmp_path_factory.mktemp("task")
    none = domain / "checkpoints"  # none is due in so few steps
    first = training_params.model_copy(update={"strategy": request.param})
    second = first.model_copy(update={"rank": 2})
    given = {"base": tiny_base, "dataset": dataset, "checkpoints": none}
    train_domain.run(domain_params, first, common, **given, out=domain)
    train_task.run(task_params, second, common, **given, domain=domain, out=task)
    return domain, task


def test_the_composed_adapter_is_both_one_upon_the_other(
    trained: tuple[Path, Path], tiny_base: Path, tmp_path: Path
) -> None:
    domain, task = trained
    report = compose.run(base=tiny_base, domain=domain, task=task, out=tmp_path)
    stacked = logits(attach(load_adapted(tiny_base, domain), task))
    torch.testing.assert_close(logits(load_adapted(tiny_base, tmp_path)), stacked, atol=1e-4, rtol=1e-4)
    assert (logits(load_base(tiny_base)) - stacked).abs().max() > 0.01
    assert report.headline().startswith("train_domain (rank 4) + train_task (rank 2): one adapter of rank 6")
    assert report.adapter_sha256 == sha256(tmp_path / "adapter_model.safetensors")


def test_the_composed_adapter_is_an_ordinary_one(trained: tuple[Path, Path], tiny_base: Path, tmp_path: Path) -> None:
    domain, task = trained
    compose.run(base=tiny_base, domain=domain, task=task, out=tmp_path)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], config["use_rslora"]) == (6, 6, False)
    assert config["base_model_name_or_path"] == "artifacts/base"


def test_an_adapter_that_is_alone_is_passed_on_byte_for_byte(
    tiny_adapter: Path, tiny_base: Path, tmp_path: Path
) -> None:
    off, out = tmp_path / "off", tmp_path / "out"
    write_json(off / "off.json", {"off": "train_task.enabled is false in params.yaml"})
    out.mkdir()
    report = compose.run(base=tiny_base, domain=tiny_adapter, task=off, out=out)
    assert [part.stage for part in report.parts] == ["train_domain"]
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        assert (out / name).read_bytes() == (tiny_adapter / name).read_bytes()


def test_half_an_adapter_is_refused_with_the_stage_that_makes_it(
    tiny_adapter: Path, tiny_base: Path, tmp_path: Path
) -> None:
    half = Path(shutil.copytree(tiny_adapter, tmp_path / "half"))
    (half / "adapter_config.json").unlink()
    with pytest.raises(UserError, match=r"has no adapter_config\.json") as fault:
        compose.run(base=tiny_base, domain=tiny_adapter, task=half, out=tmp_path)
    assert fault.value.fix == "run `dvc repro train_task`"
