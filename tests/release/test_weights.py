from __future__ import annotations

from pathlib import Path

import pytest

from acclimate.core.errors import UserError
from acclimate.release.weights import load_model, require_plain


@pytest.mark.parametrize("name", ["pytorch_model.bin", "training_args.pt", "modeling_law.py", "weights/a.pkl", "noise"])
def test_what_could_run_code_when_it_is_opened_is_refused_by_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"")
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"\x80\x04")
    with pytest.raises(UserError) as fault:
        load_model(tmp_path)
    assert fault.value.what == f"{tmp_path} holds {name}"


def test_weights_settings_and_vocabularies_are_data(tmp_path: Path) -> None:
    for name in ("model-00001-of-00002.safetensors", "config.json", "merges.txt", "tokenizer.model", "README.md"):
        (tmp_path / name).write_bytes(b"")
    require_plain(tmp_path)
