from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from acclimate.cli import main
from acclimate.core.errors import UserError
from acclimate.core.files import read_json
from acclimate.release.register import register
from acclimate.release.registry import connect
from acclimate.release.replay import replay

MODEL = "acclimate-scientific-python"


@pytest.fixture
def stored(gated_run: Path, home_folder: Path) -> Path:
    """The evidence of version 1 among the registry's artifacts."""
    register(gated_run)
    [manifest] = (home_folder / ".acclimate/mlflow/artifacts").rglob("evidence/manifest.json")
    return manifest.parent


def test_a_verdict_follows_from_its_evidence_alone(
    stored: Path, gated_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(gated_run)
    (gated_run / "artifacts").rename(tmp_path / "gone")
    (gated_run / "reports").rename(tmp_path / "gone too")
    assert main(["gate", "--replay", "1"]) == 0
    said = capsys.readouterr().out
    assert f"{MODEL} version 1: the same verdict follows from its evidence" in said
    assert "promote: domain cloze 0.300 → 0.450 (+50%" in said


def test_a_changed_row_is_named(stored: Path, gated_run: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    rows = stored / "rows/candidate/domain_cloze.jsonl"
    lines = rows.read_text(encoding="utf-8").splitlines()
    lines[500] = lines[500].replace('"correct": false', '"correct": true')
    rows.write_text("\n".join(lines) + "\n", encoding="utf-8")
    monkeypatch.chdir(gated_run)
    assert main(["gate", "--replay", "1"]) == 2
    said = capsys.readouterr().err
    assert "rows/candidate/domain_cloze.jsonl is not what was registered: row 501 (item 500)" in said


def test_a_verdict_that_does_not_follow_from_its_evidence_is_refused(stored: Path) -> None:
    connect().set_model_version_tag(MODEL, "1", "gate.verdict", "reject")
    with pytest.raises(UserError, match=r"was registered as reject; from its evidence follows promote"):
        replay(MODEL, "1")


def test_a_version_that_is_not_there_or_has_no_evidence_is_refused(stored: Path) -> None:
    with pytest.raises(UserError, match="there is no version 7"):
        replay(MODEL, "7")
    connect().delete_model_version_tag(MODEL, "1", "evidence_sha256")
    with pytest.raises(UserError, match="carries no evidence"):
        replay(MODEL, "1")


def test_a_report_that_does_not_follow_from_the_results_is_not_registered(gated_run: Path) -> None:
    path = gated_run / "reports/gate.json"
    report = read_json(path)
    report["metrics"]["domain_cloze"]["candidate"] = 0.9
    path.write_text(json.dumps(report), encoding="utf-8")
    with pytest.raises(UserError, match=r"reports/gate\.json says another metrics than follows"):
        register(gated_run)
