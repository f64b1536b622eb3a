from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from acclimate.model.adapter import attach, load_base
from acclimate.model.composing.changes import Change, read_changes, write_adapter


def rewritten(adapter: Path, out: Path, **config: object) -> Path:
    """A copy of an adapter with another configuration."""
    out.mkdir()
    (out / "adapter_model.safetensors").write_bytes((adapter / "adapter_model.safetensors").read_bytes())
    old = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    (out / "adapter_config.json").write_text(json.dumps({**old, **config}), encoding="utf-8")
    return out


@pytest.mark.parametrize("rslora", [False, True])
def test_a_change_is_what_peft_adds_to_the_weight(
    rslora: bool, tiny_base: Path, tiny_adapter: Path, tmp_path: Path
) -> None:
    adapter = rewritten(tiny_adapter, tmp_path / "adapter", use_rslora=rslora)
    module = attach(load_base(tiny_base), adapter).get_base_model().get_submodule("model.layers.1.mlp.down_proj")
    change = read_changes(adapter)["model.layers.1.mlp.down_proj"]
    torch.testing.assert_close(change.up @ change.down, module.get_delta_weight("default"))


def test_an_adapter_of_rank_stabilised_scaling_is_written_as_one_of_scaling_one(
    tiny_adapter: Path, tmp_path: Path
) -> None:
    adapter = rewritten(tiny_adapter, tmp_path / "adapter", use_rslora=True)
    out = tmp_path / "out"
    out.mkdir()
    write_adapter(read_changes(adapter), like=adapter, out=out)
    config = json.loads((out / "adapter_config.json").read_text(encoding="utf-8"))
    assert (config["r"], config["lora_alpha"], config["use_rslora"]) == (4, 4, False)
    name = "model.layers.0.self_attn.q_proj"
    old = load_file(tiny_adapter / "adapter_model.safetensors")[f"base_model.model.{name}.lora_B.weight"]
    new = load_file(out / "adapter_model.safetensors")[f"base_model.model.{name}.lora_B.weight"]
    torch.testing.assert_close(new, old * 8 / math.sqrt(4))


def test_a_smaller_rank_is_filled_up_with_what_adds_nothing(tiny_adapter: Path, tmp_path: Path) -> None:
    changes = read_changes(tiny_adapter)
    small = "model.layers.0.self_attn.q_proj"
    up, down = changes[small]
    changes[small] = Change(up[:, :1], down[:1])
    write_adapter(changes, like=tiny_adapter, out=tmp_path)
    again = read_changes(tmp_path)[small]
    assert again.down.shape == down.shape
    assert torch.equal(again.up @ again.down, up[:, :1] @ down[:1])


def test_what_is_written_is_read_back_unchanged(tiny_base: Path, tiny_adapter: Path, tmp_path: Path) -> None:
    changes = read_changes(tiny_adapter)
    write_adapter(changes, like=tiny_adapter, out=tmp_path)
    again = read_changes(tmp_path)
    assert changes.keys() == again.keys()
    for name, change in changes.items():
        assert torch.equal(change.up, again[name].up)
        assert torch.equal(change.down, again[name].down)
    attach(load_base(tiny_base), tmp_path)  # raises if a layer is missing or has another size


def test_a_dora_adapter_is_no_sum(tiny_adapter: Path, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="DoRA"):
        read_changes(rewritten(tiny_adapter, tmp_path / "dora", use_dora=True))
