from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from acclimate.core.errors import UserError
from acclimate.core.params import CommonParams, TrainDomainParams, TrainingParams
from acclimate.model.adapter import load_adapted
from acclimate.model.composing.changes import Change, read_changes, write_adapter
from acclimate.model.composing.combining import combine
from acclimate.model.composing.export_check import MAX_LOGIT_DIFFERENCE, beside, merged_difference, require_same

TOKENS = torch.arange(3, 67).view(2, 32)


@pytest.fixture(scope="module")
def second_adapter(
    tmp_path_factory: pytest.TempPathFactory,
    domain_params: TrainDomainParams,
    training_params: TrainingParams,
    common: CommonParams,
    tiny_base: Path,
    dataset: Path,
    general: Path,
) -> Path:
    """Another rank and rsLoRA's scaling, so that nothing can be added without minding both."""
    from acclimate.model.train_domain import run

    out = tmp_path_factory.mktemp("second")
    params = training_params.model_copy(update={"rank": 2, "strategy": "rslora"})
    inputs = {"base": tiny_base, "dataset": dataset, "general": general, "checkpoints": out / "checkpoints"}
    run(domain_params, params, common, **inputs, out=out)
    return out


def composed(adapters: list[Path], weights: list[float], out: Path) -> Path:
    changes, _ = combine([read_changes(adapter) for adapter in adapters], weights, "cat", density=1.0, seed=1)
    out.mkdir()
    write_adapter(changes, like=adapters[0], out=out)
    return out


def test_one_composed_adapter_merged_gives_the_logits_of_two_beside_the_base(
    tiny_base: Path, tiny_adapter: Path, second_adapter: Path, tmp_path: Path
) -> None:
    one = composed([tiny_adapter, second_adapter], [1.0, 0.5], tmp_path / "one")
    reference = beside(tiny_base, [(tiny_adapter, 1.0), (second_adapter, 0.5)])
    difference = merged_difference(reference, load_adapted(tiny_base, one), TOKENS)
    require_same(difference)
    assert difference.logits < MAX_LOGIT_DIFFERENCE / 10
    assert difference.tokens == 64


def test_an_adapter_left_out_is_noticed(tiny_base: Path, tiny_adapter: Path, second_adapter: Path) -> None:
    reference = beside(tiny_base, [(tiny_adapter, 1.0), (second_adapter, 1.0)])
    with pytest.raises(UserError, match="logits up to"):
        require_same(merged_difference(reference, load_adapted(tiny_base, tiny_adapter), TOKENS))


def test_a_layer_that_was_merged_wrongly_is_named(tiny_base: Path, tiny_adapter: Path, tmp_path: Path) -> None:
    changes = read_changes(tiny_adapter)
    wrong = "model.layers.1.self_attn.v_proj"
    changes[wrong] = Change(changes[wrong].up * 3, changes[wrong].down)
    write_adapter(changes, like=tiny_adapter, out=tmp_path)
    difference = merged_difference(beside(tiny_base, [(tiny_adapter, 1.0)]), load_adapted(tiny_base, tmp_path), TOKENS)
    with pytest.raises(UserError, match=wrong):
        require_same(difference)


def test_a_difference_that_is_no_number_is_no_agreement(tiny_base: Path, tiny_adapter: Path) -> None:
    reference = beside(tiny_base, [(tiny_adapter, 1.0)])
    difference = merged_difference(reference, load_adapted(tiny_base, tiny_adapter), TOKENS)
    require_same(difference)
    with pytest.raises(UserError, match="nan"):
        require_same(dataclasses.replace(difference, logits=float("nan")))
