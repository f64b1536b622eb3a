"""The whole action, from files to report, with two scripted judges."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from acclimate.cli import main
from acclimate.core.files import read_json, read_jsonl, write_jsonl

from .conftest import Scripted, longer

ROOT = Path(__file__).parents[3]


def test_a_jury_of_two_judges_stored_answers(
    scripted: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    dials = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    jury = [scripted(name, longer, prompt_price=1.0) for name in ("large", "small")]
    rubric = [{"name": "correctness", "asks": "Which is right?"}]
    dials["judge"] |= {"jury": [juror.model_dump() for juror in jury], "rubric": rubric, "items": 12}
    Path("params.yaml").write_text(yaml.safe_dump(dials), encoding="utf-8")
    answer = {"answer": "A number."}
    questions = [{"id": str(n), "question": f"What is {n}?", "ground_truth": answer} for n in range(15)]
    write_jsonl(Path("artifacts/evaluation_set/examples.jsonl"), questions)
    # The candidate's answer is the longer one to two questions of three.
    for model, lengths in (("evaluate/candidate", (9, 9, 2)), ("baseline", (5, 5, 5))):
        rows = ({"id": str(n), "text": "x" * lengths[n % 3]} for n in range(14))
        write_jsonl(Path("artifacts") / model / "questions.jsonl", rows)
    assert main(["judge"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("12 pairs × 2 jurors × 2 repeats = 48 questions\n")
    report = read_json(Path("reports/judge.json"))
    assert report["wins"]["correctness"]["value"] == pytest.approx(8 / 12, abs=1e-6)
    assert report["agreement"]["correctness"]["alpha"] == 1.0
    assert report["jurors"]["large"]["kept"]["value"] == 1.0
    assert report["cost"] == pytest.approx(48 * 100 / 1e6)
    assert len(read_jsonl(Path("artifacts/judge/votes.jsonl"))) == 48


def test_answers_to_different_questions_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copyfile(ROOT / "params.yaml", "params.yaml")
    write_jsonl(Path("r.jsonl"), [{"id": "1", "question": "What?", "ground_truth": {"answer": "That."}}])
    write_jsonl(Path("a.jsonl"), [{"id": "1", "text": "x"}])
    write_jsonl(Path("b.jsonl"), [{"id": "2", "text": "x"}])
    assert main(["judge", "--predictions", "a.jsonl", "--against", "b.jsonl", "--references", "r.jsonl"]) == 2
    assert "1 ids of a.jsonl are not in b.jsonl: 1" in capsys.readouterr().err
