from __future__ import annotations

from pathlib import Path

import pytest

from acclimate.core.errors import UserError
from acclimate.core.files import read_json, write_jsonl
from acclimate.core.params import load
from acclimate.release.gptq import calibration_texts, layer_errors, require_divisible
from acclimate.release.quantize import run
from acclimate.release.weights import folder_sha256, load_model

PROMPT = "Question: What does numpy.argsum do?\nAnswer:"


def test_quantising_again_gives_the_same_bytes_and_report(finished_run: Path, tmp_path: Path) -> None:
    params = load(finished_run / "params.yaml")
    artifacts = finished_run / "artifacts"
    report = run(
        params.quantize,
        params.common,
        base=artifacts / "base",
        adapter=artifacts / "compose",
        dataset=artifacts / "mix/train.jsonl",
        out=tmp_path,
    )
    before = read_json(finished_run / "reports/quantize.json")
    assert report.quantized_sha256 == before["quantized_sha256"] == folder_sha256(artifacts / "quantize/quantized")
    assert report.merged_sha256 == before["merged_sha256"] == folder_sha256(artifacts / "quantize/merged")
    assert report.headline() == before["headline"]


def test_the_linear_layers_are_stored_in_four_bits(finished_run: Path) -> None:
    from safetensors import safe_open

    with safe_open(finished_run / "artifacts/quantize/quantized/model.safetensors", framework="pt") as stored:
        packed = stored.get_slice("model.layers.0.mlp.down_proj.qweight").get_shape()
    # 192 inputs × 64 outputs, eight 4-bit weights in each 32-bit word.
    assert packed == [192 // 8, 64]


def test_the_quantised_model_predicts_nearly_what_the_merged_model_does(finished_run: Path) -> None:
    import torch

    logits = []
    for folder in ("merged", "quantized"):
        model, tokenizer = load_model(finished_run / "artifacts/quantize" / folder)
        encoded = tokenizer(PROMPT, return_tensors="pt", return_token_type_ids=False)
        with torch.inference_mode():
            logits.append(model(**encoded).logits[0, -1].float())
    assert float(torch.nn.functional.cosine_similarity(logits[0], logits[1], dim=0)) > 0.98


def test_a_cpu_computes_with_exactly_the_weights_that_the_packed_layers_stand_for(finished_run: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, GPTQConfig

    folder = finished_run / "artifacts/quantize/quantized"
    packed = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, quantization_config=GPTQConfig(bits=4, backend="torch"), local_files_only=True
    ).eval()
    unpacked, tokenizer = load_model(folder)
    encoded = tokenizer(PROMPT, return_tensors="pt", return_token_type_ids=False)
    with torch.inference_mode():
        assert torch.equal(unpacked(**encoded).logits, packed(**encoded).logits)
    assert not [name for name, layer in unpacked.named_modules() if hasattr(layer, "qweight")]
    assert [name for name, layer in packed.named_modules() if hasattr(layer, "qweight")]


def test_no_file_names_a_path_of_this_machine(finished_run: Path) -> None:
    for path in (finished_run / "artifacts/quantize").rglob("*.json"):
        assert str(Path.home().anchor) + "tmp" not in path.read_text(encoding="utf-8"), path


def test_layers_that_cannot_be_cut_into_groups_are_refused() -> None:
    with pytest.raises(
        UserError, match=r"1 layers cannot be cut into groups of 128 weights, e\.g\. down_proj with 704"
    ):
        require_divisible({"q_proj": 256, "down_proj": 704}, 128)


def test_a_training_set_without_domain_text_is_refused(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "train.jsonl", [{"id": "1", "kind": "general_replay", "text": "os.path"}])
    with pytest.raises(UserError, match="holds no domain text"):
        calibration_texts(tmp_path / "train.jsonl", 8)


def test_only_domain_texts_calibrate_in_the_order_of_the_training_set(tmp_path: Path) -> None:
    kinds = ["domain_documents", "general_replay", "domain_questions", "domain_documents"]
    write_jsonl(
        tmp_path / "train.jsonl",
        [{"id": str(place), "kind": kind, "text": f"text {place}"} for place, kind in enumerate(kinds)],
    )
    assert calibration_texts(tmp_path / "train.jsonl", 2) == ["text 0", "text 2"]


def test_errors_are_summarised_by_layer_whatever_the_order_of_the_log() -> None:
    log = [
        {"layer": "1", "module": "q_proj", "loss": "0.5"},
        {"layer": "0", "module": "up_proj", "loss": "0.1"},
        {"layer": "0", "module": "q_proj", "loss": "0.3"},
    ]
    first, second = layer_errors(log)
    assert (first.layer, first.mean, first.worst, first.worst_module) == (0, 0.2, 0.3, "q_proj")
    assert second.layer == 1
    assert layer_errors(log[::-1]) == [first, second]
