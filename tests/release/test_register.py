from __future__ import annotations

import json
from pathlib import Path

import pytest

from acclimate.core.errors import UserError
from acclimate.core.files import read_json
from acclimate.release.evidence import ADAPTER_WEIGHTS
from acclimate.release.register import flattened, register
from acclimate.release.registry import CHALLENGER, connect, version_at
from acclimate.release.weights import load_model

MODEL = "acclimate-scientific-python"
PROMPT = "Question: What does numpy.argsum do?\nAnswer:"


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
    assert run.inputs.dataset_inputs[0].dataset.digest == "d" * 32
    assert len(connect().get_metric_history(version.run_id, "train_task.loss")) > 1


def test_registering_the_same_adapter_again_finds_the_version(gated_run: Path) -> None:
    first = register(gated_run)
    assert register(gated_run) == first


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


def test_dials_are_flattened_by_their_dotted_path() -> None:
    assert flattened({"a": {"b": 1, "c": [None, "x"]}}) == {"a.b": "1", "a.c.0": "null", "a.c.1": "x"}
