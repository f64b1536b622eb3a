"""What is composed is the very model that was trained, or says how near it comes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from acclimate.core.errors import UserError
from acclimate.core.files import sha256, write_json
from acclimate.core.params import CommonParams, ComposeParams, TrainDomainParams, TrainingParams, TrainTaskParams
from acclimate.model import compose, train_domain, train_task
from acclimate.model.adapter import attach, load_adapted, load_base
from acclimate.model.composing import export_check

IDS = torch.arange(3, 27).reshape(2, 12)
SUM = ComposeParams(combination="cat", domain_weight=1.0, task_weight=1.0, density=0.5)


def logits(model: torch.nn.Module) -> torch.Tensor:
    with torch.inference_mode():
        result: torch.Tensor = model.eval()(input_ids=IDS).logits
    return result


class Composer:
    """The stage with everything that stays the same in these tests."""

    def __init__(self, task_params: TrainTaskParams, common: CommonParams, base: Path, dataset: Path) -> None:
        self.task_params, self.common, self.base, self.dataset = task_params, common, base, dataset
        self.off = dataset.parent / "off"
        write_json(self.off / "off.json", {"off": "switched off by a test"})

    def __call__(
        self,
        domain: Path,
        task: Path,
        out: Path,
        *,
        align: Path | None = None,
        params: ComposeParams = SUM,
        start_from: str = "domain",
    ) -> compose.ComposeReport:
        task_params = self.task_params.model_copy(update={"start_from": start_from})
        inputs = {"base": self.base, "domain": domain, "task": task, "dataset": self.dataset}
        return compose.run(params, task_params, self.common, **inputs, align=align or self.off, out=out)


@pytest.fixture(scope="module")
def composer(task_params: TrainTaskParams, common: CommonParams, tiny_base: Path, dataset: Path) -> Composer:
    return Composer(task_params, common, tiny_base, dataset)


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
    general: Path,
) -> tuple[Path, Path]:
    """The folders of a domain adapter and of a task adapter of another rank, trained upon it."""
    domain, task = tmp_path_factory.mktemp("domain"), tmp_path_factory.mktemp("task")
    none = domain / "checkpoints"  # none is due in so few steps
    first = training_params.model_copy(update={"strategy": request.param})
    second = first.model_copy(update={"rank": 2})
    given = {"base": tiny_base, "dataset": dataset, "checkpoints": none}
    train_domain.run(domain_params, first, common, **given, general=general, out=domain)
    train_task.run(task_params, second, common, **given, domain=domain, out=task)
    return domain, task


@pytest.fixture(scope="module")
def side_by_side(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_adapter: Path,
    task_params: TrainTaskParams,
    training_params: TrainingParams,
    common: CommonParams,
    tiny_base: Path,
    dataset: Path,
) -> tuple[Path, Path]:
    """A domain adapter and a task adapter of another rank, both trained on the bare base."""
    task = tmp_path_factory.mktemp("task")
    params = task_params.model_copy(update={"start_from": "base"})
    second = training_params.model_copy(update={"rank": 2})
    given = {"base": tiny_base, "dataset": dataset, "checkpoints": task / "checkpoints"}
    train_task.run(params, second, common, **given, domain=tiny_adapter, out=task)
    return tiny_adapter, task


def test_the_composed_adapter_is_both_one_upon_the_other(
    trained: tuple[Path, Path], composer: Composer, tiny_base: Path, tmp_path: Path
) -> None:
    domain, task = trained
    report = composer(domain, task, tmp_path)
    stacked = logits(attach(load_adapted(tiny_base, domain), task))
    torch.testing.assert_close(logits(load_adapted(tiny_base, tmp_path)), stacked, atol=1e-4, rtol=1e-4)
    assert (logits(load_base(tiny_base)) - stacked).abs().max() > 0.01
    assert report.headline().startswith(
        "train_domain (rank 4) + train_task (rank 2), sequential: one adapter of rank 6"
    )
    assert report.adapter_sha256 == sha256(tmp_path / "adapter_model.safetensors")
    assert report.merged.logits < 1e-4


def test_adapters_trained_beside_four_bits_are_merged_into_the_base_as_it_is(
    domain_params: TrainDomainParams,
    task_params: TrainTaskParams,
    training_params: TrainingParams,
    common: CommonParams,
    composer: Composer,
    tiny_base: Path,
    dataset: Path,
    tmp_path: Path,
) -> None:
    nf4 = training_params.model_copy(update={"base_weights": "nf4"})
    domain, task, out = (tmp_path / name for name in ("domain", "task", "out"))
    given = {"base": tiny_base, "dataset": dataset, "checkpoints": tmp_path / "checkpoints"}
    train_domain.run(domain_params, nf4, common, **given, general=dataset, out=domain)
    train_task.run(task_params, nf4, common, **given, domain=domain, out=task)
    out.mkdir()
    assert composer(domain, task, out).merged.logits < 1e-4
    beside = logits(attach(load_adapted(tiny_base, domain), task))
    torch.testing.assert_close(logits(load_adapted(tiny_base, out)), beside, atol=1e-4, rtol=1e-4)


def test_where_all_weights_were_trained_the_last_stage_holds_what_the_first_left(
    domain_params: TrainDomainParams,
    task_params: TrainTaskParams,
    training_params: TrainingParams,
    common: CommonParams,
    composer: Composer,
    tiny_base: Path,
    dataset: Path,
    tmp_path: Path,
) -> None:
    full = training_params.model_copy(update={"strategy": "full"})
    domain, task, out = (tmp_path / name for name in ("domain", "task", "out"))
    given = {"base": tiny_base, "dataset": dataset, "checkpoints": tmp_path / "checkpoints"}
    train_domain.run(domain_params, full, common, **given, general=dataset, out=domain)
    train_task.run(task_params, full, common, **given, domain=domain, out=task)
    out.mkdir()
    report = composer(domain, task, out)
    assert report.headline().startswith(
        "train_domain (all weights) + train_task (all weights), sequential: one adapter of all weights"
    )
    assert (report.rank, report.kept_share) == (None, 1)
    assert report.adapter_sha256 == sha256(task / "adapter_model.safetensors")
    assert report.merged.logits < 1e-4
    upon = logits(attach(load_adapted(tiny_base, domain), task))
    torch.testing.assert_close(logits(load_adapted(tiny_base, out)), upon, atol=1e-4, rtol=1e-4)
    for first in (domain, task):
        assert (logits(load_base(tiny_base)) - logits(load_adapted(tiny_base, first))).abs().max() > 0.01


def test_the_composed_adapter_is_an_ordinary_one(
    trained: tuple[Path, Path], composer: Composer, tmp_path: Path
) -> None:
    composer(*trained, tmp_path)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], config["use_rslora"]) == (6, 6, False)
    assert config["base_model_name_or_path"] == "artifacts/base"


def test_what_was_trained_upon_both_is_added_to_them_exactly(
    trained: tuple[Path, Path],
    composer: Composer,
    task_params: TrainTaskParams,
    training_params: TrainingParams,
    tiny_base: Path,
    tmp_path: Path,
) -> None:
    together, third, out = (tmp_path / name for name in ("together", "third", "out"))
    for folder in (together, third, out):
        folder.mkdir()
    composer(*trained, together)
    uses_dora = json.loads((trained[0] / "adapter_config.json").read_text())["use_dora"]
    kind = training_params.model_copy(update={"strategy": "dora" if uses_dora else "lora", "rank": 3})
    # Whatever it is trained for: here a second time for the task.
    given = {"base": tiny_base, "domain": together, "dataset": composer.dataset, "checkpoints": tmp_path / "none"}
    train_task.run(task_params, kind, composer.common, **given, out=third)
    report = composer(*trained, out, align=third)
    expected = logits(attach(load_adapted(tiny_base, together), third))
    torch.testing.assert_close(logits(load_adapted(tiny_base, out)), expected, atol=1e-4, rtol=1e-4)
    assert (report.combination, report.rank) == ("sequential, then aligned", 9)


def test_adapters_trained_side_by_side_are_stacked_exactly(
    side_by_side: tuple[Path, Path], composer: Composer, tiny_base: Path, tmp_path: Path
) -> None:
    report = composer(*side_by_side, tmp_path, start_from="base")
    assert (report.combination, report.rank, report.kept_share) == ("stacked", 6, 1)
    both = export_check.beside(tiny_base, [(folder, 1.0) for folder in side_by_side])
    torch.testing.assert_close(logits(load_adapted(tiny_base, tmp_path)), logits(both), atol=1e-4, rtol=1e-4)


def test_weights_scale_what_each_adapter_does(
    side_by_side: tuple[Path, Path], composer: Composer, tiny_base: Path, tmp_path: Path
) -> None:
    params = SUM.model_copy(update={"domain_weight": 0.0, "task_weight": 2.0})
    report = composer(*side_by_side, tmp_path, params=params, start_from="base")
    assert report.combination == "weighted, cat"
    assert [part.weight for part in report.parts] == [0.0, 2.0]
    twice = export_check.beside(tiny_base, [(side_by_side[1], 2.0)])
    torch.testing.assert_close(logits(load_adapted(tiny_base, tmp_path)), logits(twice), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("combination", ["linear", "ties", "dare"])
def test_what_is_cut_back_to_one_rank_says_how_much_that_holds(
    combination: str, side_by_side: tuple[Path, Path], composer: Composer, tmp_path: Path
) -> None:
    params = SUM.model_copy(update={"combination": combination})
    report = composer(*side_by_side, tmp_path, params=params, start_from="base")
    assert (report.combination, report.rank) == (f"weighted, {combination}", 4)
    assert 0.1 < report.kept_share < 1
    assert "that holds" in report.headline()


def test_a_merged_model_that_is_another_stops_the_stage(
    side_by_side: tuple[Path, Path], composer: Composer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Less than any rounding is allowed: the stage must compare, and must stop.
    monkeypatch.setattr(export_check, "MAX_LOGIT_DIFFERENCE", 0.0)
    with pytest.raises(UserError, match=r"for equal inputs model\.layers\.\d\..* differs most"):
        composer(*side_by_side, tmp_path, start_from="base")


def test_an_adapter_that_is_alone_is_passed_on_byte_for_byte(
    tiny_adapter: Path, composer: Composer, tmp_path: Path
) -> None:
    report = composer(tiny_adapter, composer.off, tmp_path)
    assert [part.stage for part in report.parts] == ["train_domain"]
    assert report.combination == "alone"
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        assert (tmp_path / name).read_bytes() == (tiny_adapter / name).read_bytes()


def test_half_an_adapter_is_refused_with_the_stage_that_makes_it(
    tiny_adapter: Path, composer: Composer, tmp_path: Path
) -> None:
    half = Path(shutil.copytree(tiny_adapter, tmp_path / "half"))
    (half / "adapter_config.json").unlink()
    with pytest.raises(UserError, match=r"has no adapter_config\.json") as fault:
        composer(tiny_adapter, half, tmp_path)
    assert fault.value.fix == "run `dvc repro train_task`"
