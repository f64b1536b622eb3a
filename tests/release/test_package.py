from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from acclimate.core.errors import UserError
from acclimate.core.files import read_json
from acclimate.core.params import load, with_changes
from acclimate.release.keys import trusted_key
from acclimate.release.package import bento_path, package, require_room, source_path
from acclimate.release.register import register
from acclimate.release.registry import connect
from acclimate.release.signing import verify
from acclimate.release.weights import file_sha256, folder_sha256

MODEL = "acclimate-scientific-python"


def edit(checkout: Path, stage: str, **changes: object) -> None:
    path = checkout / f"reports/{stage}.json"
    path.write_text(json.dumps({**read_json(path), **changes}), encoding="utf-8")


def test_the_bento_holds_the_judged_model_and_says_so(gated_run: Path) -> None:
    register(gated_run)
    report = package(gated_run)

    judged = read_json(gated_run / "reports/evaluate_quantized.json")["quantized_sha256"]
    assert report["bento"] == f"{MODEL}:v1-{judged[:8]}"
    source = bento_path(report["bento"]) / "src"
    assert folder_sha256(source / "model") == judged
    manifest = read_json(source / "manifest.json")
    assert manifest == report["manifest"]
    assert (manifest["version"], manifest["sha256"], manifest["max_prompt_tokens"]) == ("1", judged, 96)
    assert manifest["gate"]["verdict"] == "promote"
    assert connect().get_model_version(MODEL, "1").tags["bento"] == report["bento"]
    assert (manifest["prompt"], manifest["base"]["licence"]) == ("Question: {question}\nAnswer:", "PSF-2.0")
    pins = (source / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert all("==" in pin for pin in pins)
    assert {"gptqmodel", "model-signing", "torch"} <= {pin.partition("==")[0] for pin in pins}
    assert "| docs | BSD-3-Clause | 36 |" in (source / "LICENCES.md").read_text(encoding="utf-8")
    adapter = read_json(gated_run / "reports/compose.json")["adapter_sha256"]
    assert file_sha256(source / "adapter/adapter_model.safetensors") == adapter
    counted = report["bill_of_materials"]
    assert (counted["library"], counted["machine-learning-model"], counted["data"]) == (len(pins), 3, 1)


def test_a_bento_of_a_gguf_form_holds_the_judged_file_with_its_tokenizer_and_asks_for_llama_cpp_instead_of_torch(
    gated_run: Path, package_gguf: Callable[[Path, str], None]
) -> None:
    package_gguf(gated_run, "gguf-q4_k_m")
    register(gated_run)
    report = package(gated_run)
    judged = folder_sha256(gated_run / "artifacts/quantize/forms/gguf-q4_k_m")
    source = source_path(report["bento"])
    assert (report["manifest"]["weights"], report["manifest"]["sha256"]) == ("gguf-q4_k_m", judged)
    verify(source, trusted_key())
    assert folder_sha256(source / "model") == judged
    assert {path.name for path in (source / "model").iterdir()} >= {"model.gguf", "tokenizer.json", "config.json"}
    assert not list((source / "model").glob("*.safetensors"))
    pins = {pin.partition("==")[0] for pin in (source / "requirements.txt").read_text(encoding="utf-8").splitlines()}
    assert "cyllama" in pins
    assert not pins & {"torch", "gptqmodel"}
    files = {
        part["name"] for of in read_json(source / "sbom.cdx.json")["components"] for part in of.get("components", [])
    }
    assert "model.gguf" in files


def test_what_a_bento_carries_of_acclimate_imports_nothing_else_of_it(gated_run: Path) -> None:
    register(gated_run)
    source = source_path(package(gated_run)["bento"])
    # The folder of the Bento is all of Acclimate that there is.
    code = f"""
import sys
sys.path = [{str(source)!r}, *(place for place in sys.path if not place.endswith("include"))]
import acclimate, service
import acclimate.serving.models
from acclimate.core.params.guardrails import GuardrailsParams
from acclimate.serving.guardrails.rails import Rails
every = {{**service.SETTINGS.guardrails.model_dump(), "pii_in": "redact", "pii_out": "redact", "topics": {{"t": "x"}}}}
Rails(GuardrailsParams(**every))
assert acclimate.__file__.startswith({str(source)!r}), acclimate.__file__
print(*sorted(name for name in sys.modules if name.startswith("acclimate.")))
"""
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {name.split(".")[1] for name in done.stdout.split()} == {"core", "data", "model", "release", "serving"}


def test_a_bento_is_kept_while_it_is_whole_refused_by_file_when_it_is_not_and_then_built_anew(gated_run: Path) -> None:
    register(gated_run)
    report = package(gated_run)
    source = source_path(report["bento"])
    built = (bento_path(report["bento"]) / "bento.yaml").stat().st_mtime_ns
    verify(source, trusted_key())
    assert package(gated_run) == report
    assert (bento_path(report["bento"]) / "bento.yaml").stat().st_mtime_ns == built

    weights = source / "model/model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    (source / "adapter/adapter_config.json").unlink()
    (source / "model/optimizer.pt").write_bytes(b"x")
    with pytest.raises(UserError) as fault:
        verify(source, trusted_key())
    assert fault.value.what.endswith(
        "adapter/adapter_config.json is missing; model/model.safetensors was changed; model/optimizer.pt was added"
    )

    assert package(gated_run) == report
    verify(source, trusted_key())


def test_other_weights_than_the_judged_ones_are_refused(gated_run: Path) -> None:
    register(gated_run)
    weights = gated_run / "artifacts/quantize/quantized/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(UserError, match=r"artifacts/quantize/quantized is .* the gate judged"):
        package(gated_run)


def test_a_quantised_model_that_failed_its_gate_is_refused(gated_run: Path) -> None:
    register(gated_run)
    edit(gated_run, "evaluate_quantized", verdict="reject", reasons=["domain cloze kept 0.81"])
    with pytest.raises(UserError, match=r"evaluate_quantized is reject: domain cloze kept 0\.81"):
        package(gated_run)


def test_a_verdict_on_the_other_model_is_refused(gated_run: Path) -> None:
    register(gated_run)
    dials = gated_run / "params.yaml"
    dials.write_text(with_changes(dials.read_text(encoding="utf-8"), {"package.weights": "merged"}), encoding="utf-8")
    with pytest.raises(UserError, match=r"the verdict of evaluate_quantized is on the quantized model"):
        package(gated_run)


def test_a_model_merged_from_another_adapter_is_refused(gated_run: Path) -> None:
    register(gated_run)
    edit(gated_run, "quantize", adapter_sha256="0" * 64)
    with pytest.raises(UserError, match=r"reports/quantize\.json is 00000000"):
        package(gated_run)


def test_a_run_that_is_no_longer_challenger_is_refused(gated_run: Path, another_run: Path) -> None:
    register(gated_run)
    register(another_run)
    with pytest.raises(UserError, match=r"version 1 .* is not the challenger \(that is 2\)"):
        package(gated_run)


def test_a_run_that_is_not_registered_is_refused(gated_run: Path) -> None:
    with pytest.raises(UserError, match=r"register\.json does not exist"):
        package(gated_run)


def test_limits_beyond_what_the_model_reads_are_refused(gated_run: Path) -> None:
    path = gated_run / "params.yaml"
    path.write_text(with_changes(path.read_text(encoding="utf-8"), {"package.max_prompt_tokens": 113}))
    with pytest.raises(UserError, match="= 129, the model reads 128 tokens"):
        require_room(gated_run / "artifacts/base", load(path))
