from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from acclimate.core.errors import UserError
from acclimate.core.files import read_json, sha256, write_text
from acclimate.model.adapter import attach, load_base, load_tokenizer
from acclimate.release.evidence import ADAPTER_FILES, ADAPTER_WEIGHTS
from acclimate.release.keys import signing_key
from acclimate.release.register import register
from acclimate.release.registry import CHALLENGER, connect, version_at
from acclimate.release.versions.audit import records
from acclimate.release.versions.pull import pull
from acclimate.release.weights import load_model

MODEL = "acclimate-scientific-python"
PROMPT = "Question: What does numpy.argsum do?\nAnswer:"


def datasets(run: Any) -> list[tuple[str, str, str]]:
    """Context, name and whole hash of a run's inputs."""
    found = ((entry.dataset.name, {tag.key: tag.value for tag in entry.tags}) for entry in run.inputs.dataset_inputs)
    return sorted(((tags["mlflow.data.context"], name, tags["hash"]) for name, tags in found), reverse=True)


def edit(checkout: Path, stage: str, **changes: object) -> None:
    path = checkout / f"reports/{stage}.json"
    path.write_text(json.dumps({**read_json(path), **changes}), encoding="utf-8")


def test_registers_the_adapter_as_challenger_with_its_evidence(gated_run: Path) -> None:
    report = register(gated_run)

    version = version_at(connect(), MODEL, CHALLENGER)
    assert version is not None
    assert str(version.version) == report["version"] == "1"
    assert version.tags["adapter_sha256"] == read_json(gated_run / "reports/compose.json")["adapter_sha256"]
    assert version.tags["dataset_sha256"] == "d" * 64
    assert len(version.tags["git_commit"]) == 40
    assert version.tags["run"] == "run-a"
    assert version.tags["gate.verdict"] == "promote"
    assert json.loads(version.tags["gate.reasons"])[1].startswith("domain cloze 0.300 → 0.450, +50.0%")
    run = connect().get_run(version.run_id)
    assert run.data.params["training.rank"] == "16"
    assert run.data.metrics["domain_cloze.candidate"] == 0.45
    assert datasets(run)[0] == ("training", "artifacts/mix/train.jsonl", "d" * 64)
    assert len(connect().get_metric_history(version.run_id, "train_task.loss")) > 1


def test_the_version_says_what_base_it_needs_how_large_it_is_and_what_it_scored(gated_run: Path) -> None:
    register(gated_run)
    tags = connect().get_model_version(MODEL, "1").tags
    assert (tags["base"], tags["base_licence"]) == ("local:tiny", "PSF-2.0")
    assert json.loads(tags["scores"])["domain_cloze"] == 0.45
    stored = sum((gated_run / "artifacts/compose" / file).stat().st_size for file in ADAPTER_FILES)
    assert int(tags["adapter_bytes"]) == stored


def test_the_items_a_model_was_judged_by_are_an_input_too(gated_run: Path) -> None:
    path = gated_run / "artifacts/split/evaluation/domain_cloze.jsonl"
    run = connect().get_run(register(gated_run)["run_id"])
    assert datasets(run)[1] == ("evaluation", "artifacts/split/evaluation/domain_cloze.jsonl", sha256(path))


def test_the_figures_of_the_report_are_among_the_artifacts(gated_run: Path) -> None:
    write_text(gated_run / "reports/plots/training-1.svg", "<svg></svg>")
    run_id = register(gated_run)["run_id"]
    assert [file.path for file in connect().list_artifacts(run_id, "plots")] == ["plots/training-1.svg"]


def test_registering_the_same_adapter_again_finds_the_version(gated_run: Path) -> None:
    first = register(gated_run)
    assert register(gated_run) == first


def test_registering_again_signs_anew_what_was_signed_with_a_key_that_is_lost(
    gated_run: Path, home_folder: Path, tmp_path: Path
) -> None:
    first = register(gated_run)
    shutil.rmtree(home_folder / ".acclimate/keys")
    signing_key()
    version = version_at(connect(), MODEL, CHALLENGER)
    with pytest.raises(UserError, match="Key mismatch"):
        pull(version, tmp_path / "before")
    assert register(gated_run)["version"] == first["version"]
    assert pull(version, tmp_path / "after")
    register(gated_run)
    assert [record["verb"] for record in records(MODEL)] == ["register", "sign"]


def test_another_adapter_is_another_version_and_the_new_challenger(gated_run: Path, another_run: Path) -> None:
    register(gated_run)
    assert register(another_run)["version"] == "2"
    assert register(gated_run)["aliases"] == [CHALLENGER]


def test_nothing_registered_is_a_pickle(gated_run: Path, home_folder: Path) -> None:
    register(gated_run)
    stored = [path for path in (home_folder / ".acclimate/mlflow/artifacts").rglob("*") if path.is_file()]
    assert any(path.name == ADAPTER_WEIGHTS for path in stored)
    assert [path for path in stored if path.suffix in {".pkl", ".pickle", ".bin", ".pt", ".pth"}] == []
    assert [path for path in stored if path.read_bytes()[:2] in (b"\x80\x04", b"\x80\x05")] == []


def test_the_registered_model_writes_what_the_merged_model_writes(gated_run: Path) -> None:
    import mlflow

    register(gated_run)
    connect()
    registered = mlflow.pyfunc.load_model(f"models:/{MODEL}@challenger")
    model, tokenizer = load_model(gated_run / "artifacts/quantize/merged")
    encoded = tokenizer(PROMPT, return_tensors="pt", return_token_type_ids=False)
    written = model.generate(**encoded, max_new_tokens=64, do_sample=False)
    expected = tokenizer.decode(written[0, encoded["input_ids"].shape[1] :], skip_special_tokens=True)
    assert registered.predict([PROMPT]) == [expected]


def test_the_registered_model_gives_the_very_logits_of_base_and_adapter(gated_run: Path) -> None:
    import mlflow
    import torch

    register(gated_run)
    connect()
    registered = mlflow.pyfunc.load_model(f"models:/{MODEL}@challenger").unwrap_python_model()
    base = gated_run / "artifacts/base"
    trained = attach(load_base(base), gated_run / "artifacts/compose").eval()
    with torch.no_grad():
        encoded = load_tokenizer(base)(PROMPT, return_tensors="pt", return_token_type_ids=False)
        expected = trained(**encoded).logits[0]
        without = load_base(base)(**encoded).logits[0]
    assert torch.equal(registered.logits(PROMPT), expected)
    assert not torch.equal(without, expected)


def test_a_failed_gate_is_refused_with_its_reasons(gated_run: Path) -> None:
    edit(gated_run, "gate", verdict="reject", reasons=["no gain: p = 0.31"])
    with pytest.raises(UserError, match=r"reject: no gain: p = 0\.31"):
        register(gated_run)


def test_an_adapter_the_gate_did_not_judge_is_refused(gated_run: Path) -> None:
    edit(gated_run, "gate", candidate_sha256="0" * 64)
    with pytest.raises(UserError, match=r"gate\.json is about adapter 00000000"):
        register(gated_run)


def test_a_run_without_a_gate_is_refused(gated_run: Path) -> None:
    (gated_run / "reports/gate.json").unlink()
    with pytest.raises(UserError, match=r"gate\.json does not exist"):
        register(gated_run)


def test_a_version_that_was_rolled_back_is_not_registered_again(gated_run: Path) -> None:
    report = register(gated_run)
    connect().set_model_version_tag(MODEL, report["version"], "rolled_back", "answers in French")
    with pytest.raises(UserError, match="rolled back: answers in French"):
        register(gated_run)
