"""The base's shape is known without its weights."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from acclimate.core.errors import UserError
from acclimate.core.params import BaseParams
from acclimate.model.adapter import load_base
from acclimate.model.plan.base_config import base_config, cut_down


def test_the_embedded_model_needs_nothing_but_its_dials(base_params: BaseParams, tiny_base: Path) -> None:
    planned, made = base_config(base_params), load_base(tiny_base).config
    names = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_key_value_heads", "tie_word_embeddings")
    assert [getattr(planned, name) for name in names] == [getattr(made, name) for name in names]


def test_of_a_folder_only_the_configuration_is_read(base_params: BaseParams, tiny_base: Path, tmp_path: Path) -> None:
    shutil.copy(tiny_base / "config.json", tmp_path)
    found = base_config(base_params.model_copy(update={"model": str(tmp_path)}))
    assert (found.hidden_size, found.num_hidden_layers) == (32, 2)


def test_a_folder_without_a_configuration_is_named(base_params: BaseParams, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read") as refused:
        base_config(base_params.model_copy(update={"model": str(tmp_path)}))
    assert str(tmp_path) in refused.value.what


def test_fewer_layers_change_nothing_else(base_params: BaseParams) -> None:
    whole = base_config(base_params)
    cut = cut_down(whole, layers=1)
    assert cut.num_hidden_layers == 1
    assert {**cut.to_dict(), "num_hidden_layers": 2} == whole.to_dict()
