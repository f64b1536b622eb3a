from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from acclimate.core.errors import UserError
from acclimate.core.params import BaseParams, CommonParams
from acclimate.model import base
from acclimate.model.adapter import attach, load_adapted, load_base

IDS = torch.arange(3, 27).reshape(2, 12)


def logits(model: torch.nn.Module) -> torch.Tensor:
    with torch.inference_mode():
        result: torch.Tensor = model(input_ids=IDS).logits
    return result


def test_the_adapter_changes_what_the_model_says(tiny_base: Path, tiny_adapter: Path) -> None:
    difference = logits(load_adapted(tiny_base, tiny_adapter)) - logits(load_base(tiny_base))
    assert difference.abs().max() > 0.01


def test_merged_and_unmerged_say_the_same(tiny_base: Path, tiny_adapter: Path) -> None:
    merged = logits(load_adapted(tiny_base, tiny_adapter))
    beside = logits(attach(load_base(tiny_base), tiny_adapter).eval())
    torch.testing.assert_close(merged, beside, atol=1e-4, rtol=1e-4)


def test_a_merged_model_is_an_ordinary_one(tiny_base: Path, tiny_adapter: Path) -> None:
    merged, plain = load_adapted(tiny_base, tiny_adapter), load_base(tiny_base)
    assert type(merged) is type(plain)
    assert merged.state_dict().keys() == plain.state_dict().keys()


@pytest.mark.parametrize("change", [{"layers": 3}, {"layers": 1}, {"hidden": 64}])
def test_the_adapter_of_another_base_is_refused(
    change: dict[str, int],
    base_params: BaseParams,
    common: CommonParams,
    general: Path,
    tiny_adapter: Path,
    tmp_path: Path,
) -> None:
    params = base_params.model_copy(update={**change, "steps": 1})
    base.run(params, common, general=general, out=tmp_path)
    with pytest.raises(UserError, match="does not fit this base"):
        load_adapted(tmp_path, tiny_adapter)


def test_a_folder_without_a_model_is_refused(tiny_adapter: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no model"):
        load_adapted(tmp_path, tiny_adapter)


def test_half_an_adapter_is_refused(tiny_base: Path, tiny_adapter: Path, tmp_path: Path) -> None:
    half = tmp_path / "half"
    shutil.copytree(tiny_adapter, half)
    (half / "adapter_model.safetensors").unlink()
    with pytest.raises(UserError, match=r"has no adapter_model\.safetensors"):
        load_adapted(tiny_base, half)
