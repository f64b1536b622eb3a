from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file

from acclimate.core.errors import UserError
from acclimate.core.files import read_parquet, sha256, write_parquet
from acclimate.core.params import BaseParams, CommonParams
from acclimate.model import base, fetch
from acclimate.model.adapter import load_base, load_tokenizer
from acclimate.model.determinism import fix_randomness
from acclimate.model.tiny import trapezoid


def named(params: BaseParams, model: str, revision: str | None = None) -> BaseParams:
    return params.model_copy(update={"model": model, "revision": revision})


def test_pretraining_lowers_the_loss_and_reports_what_it_saw(
    base_params: BaseParams, common: CommonParams, general: Path, tmp_path: Path
) -> None:
    params = base_params.model_copy(update={"steps": 40})
    report = base.run(params, common, general=general, out=tmp_path)
    assert report.first_loss is not None
    assert report.final_loss is not None
    assert report.final_loss < report.first_loss - 1
    assert report.tokens_seen == 40 * 4 * 32
    assert report.texts == 60
    assert len(report.loss_curve) == 40
    assert report.base_sha256 == sha256(tmp_path / "model.safetensors")
    assert "pre-trained here" in report.headline()


def test_the_folder_holds_a_llama_that_transformers_loads(tiny_base: Path) -> None:
    model, tokenizer = load_base(tiny_base), load_tokenizer(tiny_base)
    assert model.config.model_type == "llama"
    assert not model.training
    assert fetch.parameters(tiny_base) == model.num_parameters()
    assert model.get_input_embeddings().num_embeddings == len(tokenizer)


@pytest.mark.parametrize("text", ["plain words", "α ≤ β — “naïve”", "x = 1234\n\tfoo()", "日本語", "\x00\x7f"])
def test_the_tokenizer_can_write_any_text(tiny_base: Path, text: str) -> None:
    tokenizer = load_tokenizer(tiny_base)
    assert tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True) == text


def test_the_tokenizer_begins_with_bos_and_keeps_digits_apart(tiny_base: Path) -> None:
    tokenizer = load_tokenizer(tiny_base)
    ids = tokenizer("2026")["input_ids"]
    assert tokenizer.convert_ids_to_tokens(ids) == ["<s>", "2", "0", "2", "6"]


def test_the_learning_rate_rises_stays_and_falls() -> None:
    shares = [trapezoid(step, 100) for step in range(100)]
    assert shares[0] == pytest.approx(0.1)
    assert shares[9:50] == [1.0] * 41
    assert shares[51:] == sorted(shares[51:], reverse=True)
    assert 0 < shares[-1] < 0.05


def test_an_absurd_learning_rate_stops_with_the_step_and_the_dial(
    base_params: BaseParams, common: CommonParams, general: Path, tmp_path: Path
) -> None:
    params = base_params.model_copy(update={"learning_rate": 1e38})
    with pytest.raises(UserError, match=r"at step \d+") as fault:
        base.run(params, common, general=general, out=tmp_path)
    assert "base.learning_rate" in fault.value.fix


def test_no_general_text_is_the_users_fault(
    base_params: BaseParams, common: CommonParams, general: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "general.parquet"
    write_parquet(empty, read_parquet(general).slice(0, 0))
    with pytest.raises(UserError, match="holds no text"):
        base.run(base_params, common, general=empty, out=tmp_path)


def test_a_local_folder_is_taken_over_byte_for_byte_without_its_code(
    base_params: BaseParams, common: CommonParams, general: Path, tiny_base: Path, tmp_path: Path
) -> None:
    source, out = tmp_path / "mine", tmp_path / "out"
    shutil.copytree(tiny_base, source)
    (source / "modeling_evil.py").write_text("raise SystemExit", encoding="utf-8")
    (source / "pytorch_model.bin").write_bytes(b"pickle")
    out.mkdir()
    report = base.run(named(base_params, str(source)), common, general=general, out=out)
    assert load_file(out / "model.safetensors").keys() == load_file(tiny_base / "model.safetensors").keys()
    assert report.base_sha256 == sha256(tiny_base / "model.safetensors")
    assert {path.suffix for path in out.iterdir()} == {".json", ".safetensors"}
    assert (report.model, report.origin) == ("mine", "copied from the folder mine")
    assert (report.tokens_seen, report.final_loss, report.loss_curve) == (0, None, [])


def test_pickled_weights_alone_are_refused(
    base_params: BaseParams, common: CommonParams, general: Path, tiny_base: Path, tmp_path: Path
) -> None:
    source = tmp_path / "pickled"
    shutil.copytree(tiny_base, source, ignore=shutil.ignore_patterns("*.safetensors"))
    (source / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(UserError, match="no safetensors") as fault:
        base.run(named(base_params, str(source)), common, general=general, out=tmp_path)
    assert "any code" in fault.value.why


def test_a_model_that_needs_its_own_code_is_refused(tiny_base: Path, tmp_path: Path) -> None:
    source, out = tmp_path / "custom", tmp_path / "out"
    shutil.copytree(tiny_base, source)
    out.mkdir()
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    config |= {"model_type": "my_own", "auto_map": {"AutoConfig": "configuration_my_own.MyConfig"}}
    (source / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(UserError, match="cannot be loaded"):
        fetch.fetch(str(source), None, out)


@pytest.mark.parametrize("model", ["no/such/folder", "/nowhere", "./missing", "justaname"])
def test_what_is_neither_a_folder_nor_a_hub_id_is_named(model: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        fetch.fetch(model, None, tmp_path)


@pytest.mark.parametrize("revision", [None, "main", "v1.0", "abc123"])
def test_a_hub_id_needs_a_commit(revision: str | None, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"base\.revision"):
        fetch.fetch("owner/model", revision, tmp_path)


def test_without_a_network_the_way_out_is_named(common: CommonParams, tmp_path: Path) -> None:
    fix_randomness(common)  # puts the hub client offline
    with pytest.raises(UserError, match="could not be reached") as fault:
        fetch.fetch("owner/model", "0" * 40, tmp_path)
    assert "local:tiny" in fault.value.fix
