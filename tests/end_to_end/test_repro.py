"""`dvc repro` alone, without Airflow, on a reduced budget: every stage, twice in a row, wrong inputs, Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from acclimate.core.reports import read_report
from acclimate.pipeline import STAGES

from .conftest import Checkout

REDUCED = {
    "split.cloze_items": 40,
    "split.bits_per_byte_documents": 10,
    "mix.kilobytes": 120,
    "base.layers": 1,
    "base.hidden": 64,
    "base.heads": 2,
    "base.steps": 12,
    "train_domain.steps": 6,
    "train_task.steps": 4,
    "gate.resamples": 200,
    "quantize.calibration_texts": 16,
    "quantize.group_size": 32,
}


@pytest.fixture(scope="module")
def repro(new_checkout: Callable[[str], Checkout]) -> Checkout:
    checkout = new_checkout("repro")
    checkout.set(REDUCED)
    checkout.succeed("dvc", "repro")
    return checkout


@pytest.mark.end_to_end
@pytest.mark.timeout(1500)
def test_every_stage_ran_and_reported(repro: Checkout) -> None:
    for name, stage in STAGES.items():
        report = read_report(name, repro.path)
        assert report["stage"] == name
        assert report["headline"]
        assert (repro.path / stage.out).exists() is stage.writes
    assert not list(repro.path.glob("artifacts/.*.partial"))


@pytest.mark.end_to_end
@pytest.mark.timeout(600)
def test_a_second_repro_runs_nothing(repro: Checkout) -> None:
    before = (repro.path / "dvc.lock").read_bytes()
    output = repro.succeed("dvc", "repro")
    assert "Running stage" not in output
    assert (repro.path / "dvc.lock").read_bytes() == before


@pytest.mark.end_to_end
@pytest.mark.timeout(600)
def test_a_model_that_learned_nothing_worth_it_is_a_verdict_not_a_crash(repro: Checkout) -> None:
    gate = read_report("gate", repro.path)
    # Forty items may not be enough to show that six steps of training are not.
    assert gate["verdict"] in {"reject", "inconclusive"}
    assert any("domain" in reason for reason in gate["reasons"])
    for metric in gate["metrics"].values():
        assert {"base", "candidate", "champion", "difference", "interval", "p_value", "n"} <= metric.keys()


@pytest.mark.end_to_end
@pytest.mark.timeout(600)
def test_the_html_report_is_written_from_these_reports(repro: Checkout) -> None:
    repro.succeed("acclimate", "report")
    page = (repro.path / "reports/run.html").read_text(encoding="utf-8")
    for name in STAGES:
        assert name in page


@pytest.mark.end_to_end
@pytest.mark.timeout(600)
def test_a_failed_gate_refuses_registration(repro: Checkout) -> None:
    done = repro.run("acclimate", "register")
    assert done.returncode == 2
    assert "gate" in done.stdout
    assert not (repro.path / "reports/register.json").exists()


@pytest.mark.end_to_end
@pytest.mark.timeout(600)
def test_all_faults_of_params_are_told_before_anything_runs(repro: Checkout) -> None:
    params = repro.path / "params.yaml"
    good = params.read_text(encoding="utf-8")
    try:
        params.write_text(good.replace("  rank: 16", "  rankk: 16"), encoding="utf-8")
        done = repro.run("acclimate", "train_domain")
    finally:
        params.write_text(good, encoding="utf-8")
    assert done.returncode == 2
    assert "training.rankk = 16: no such dial" in done.stdout
    assert "training.rank: Field required" in done.stdout


@pytest.mark.end_to_end
@pytest.mark.timeout(600)
def test_params_changed_while_a_stage_runs_discard_its_result(repro: Checkout) -> None:
    params = repro.path / "params.yaml"
    good = params.read_text(encoding="utf-8")
    before = (repro.path / "reports/split.json").read_bytes()
    stage = _start(repro, "acclimate", "split")
    try:
        _wait_for(repro.path / "artifacts/.split.partial")
        params.write_text(good.replace("seed: 1729", "seed: 1730"), encoding="utf-8")
        output, _ = stage.communicate(timeout=300)
    finally:
        params.write_text(good, encoding="utf-8")
    assert stage.returncode == 2
    assert "params.yaml changed while split was running; its result is discarded" in output
    assert (repro.path / "reports/split.json").read_bytes() == before
    assert not (repro.path / "artifacts/.split.partial").exists()


@pytest.mark.end_to_end
@pytest.mark.timeout(600)
def test_ctrl_c_leaves_the_stage_as_it_was(repro: Checkout) -> None:
    lock = (repro.path / "dvc.lock").read_bytes()
    stage = _start(repro, "acclimate", "split")
    _wait_for(repro.path / "artifacts/.split.partial")
    os.killpg(stage.pid, signal.SIGINT)
    output, _ = stage.communicate(timeout=60)
    assert stage.returncode == 130
    assert "interrupted" in output
    assert not (repro.path / "artifacts/.split.partial").exists()
    assert "Running stage" not in repro.succeed("dvc", "repro")
    assert (repro.path / "dvc.lock").read_bytes() == lock


@pytest.mark.end_to_end
@pytest.mark.timeout(900)
def test_own_documents_by_params_alone(new_checkout: Callable[[str], Checkout]) -> None:
    checkout = new_checkout("own-documents")
    checkout.set({**REDUCED, "ingest.domain": "documents"})
    done = checkout.run("dvc", "repro", "ingest")
    assert done.returncode != 0
    assert "inputs/*.jsonl" in done.stdout, "a missing source is named"
    rows = [{"text": f"Procedure {n}: close valve {n * 7} and wait {n} minutes before opening it."} for n in range(300)]
    lines = [json.dumps(row) for row in rows]
    (checkout.path / "inputs/manual.jsonl").write_text("\n".join([*lines[:5], '{"text": ', *lines[5:]]) + "\n")
    checkout.succeed("dvc", "repro", "ingest")
    rejected = (checkout.path / "artifacts/ingest/rejected.jsonl").read_text(encoding="utf-8")
    assert "inputs/manual.jsonl:6" in rejected


def _start(checkout: Checkout, *command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        cwd=checkout.path,
        env=checkout.environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.02)
