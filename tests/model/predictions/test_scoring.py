from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score

from acclimate.cli import main
from acclimate.core.files import read_json, read_jsonl, write_jsonl
from acclimate.model.predictions.joining import Answer
from acclimate.model.predictions.scoring import score_answers

ARC = Path(__file__).parents[4] / "shared/data/general/arc/ARC-Easy-Dev.jsonl"


def answer(identity: str, prediction: str, right: str, **slices: str) -> Answer:
    return Answer(identity, prediction, (right,), ("A", "B"), identity, slices)


ANSWERS = [
    answer("1", "Answer: A", "A", grade="4"),
    answer("2", "Answer: B", "A", grade="4"),
    answer("3", "I do not know", "B", grade="5"),
    answer("4", "Answer: B", "B", grade="5"),
]


def test_an_unparsed_answer_is_wrong_counted_apart_and_left_out_of_the_accuracy_of_parsed() -> None:
    report, rows = score_answers(ANSWERS, "simple_evals", seed=1)
    assert (report.n, report.unparsed) == (4, 1)
    assert report.metrics["accuracy"].value == 0.5
    assert report.metrics["accuracy of parsed"].value == pytest.approx(2 / 3, abs=1e-6)
    assert (report.metrics["accuracy of parsed"].n, report.metrics["unparsed"].value) == (3, 0.25)
    assert [(row["parsed"], row["scores"]["accuracy"]) for row in rows] == [("A", 1), ("B", 0), (None, 0), ("B", 1)]
    assert report.headline().startswith("4 predictions, 1 unparsed; accuracy 0.500 [0.1")


def test_slices_have_the_same_metrics_and_add_up() -> None:
    report, _ = score_answers(ANSWERS, "simple_evals", seed=1)
    grades = report.slices["grade"]
    assert [(value, of["accuracy"].n, of["unparsed"].value) for value, of in grades.items()] == [
        ("4", 2, 0.0),
        ("5", 2, 0.5),
    ]


def test_balanced_accuracy_and_macro_f1_are_scikit_learns() -> None:
    report, rows = score_answers(ANSWERS, "simple_evals", seed=1)
    right, parsed = [row["right"][0] for row in rows], [row["parsed"] or "unparsed" for row in rows]
    recall = balanced_accuracy_score(right, parsed)
    assert report.whole["balanced_accuracy"] == pytest.approx(recall, abs=1e-6)
    expected = f1_score(right, parsed, labels=["A", "B"], average="macro")
    assert report.whole["macro_f1"] == pytest.approx(expected, abs=1e-6)


def test_a_text_is_held_against_the_reference_that_suits_it_best() -> None:
    answers = [
        Answer("1", "the inlet valve", ("Outlet valve.", "Inlet valve."), (), "1", {}),
        Answer("2", "", ("x",), (), "2", {}),
    ]
    report, rows = score_answers(answers, "text", seed=1)
    assert rows[0]["scores"]["exact_match"] == 1
    assert (rows[1]["parsed"], report.unparsed) == (None, 1)
    assert report.metrics["token_f1"].value == 0.5
    assert "corpus_bleu" in report.whole


@pytest.mark.skipif(not ARC.exists(), reason="ARC is not at hand")
def test_a_published_benchmark_is_scored_again_exactly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A model that is right, wrong or silent as drawn, over every question of ARC-Easy's development set."""
    references, draw = read_jsonl(ARC), random.Random(7)
    drawn = {row["id"]: draw.choice(["right", "wrong", "silent"]) for row in references}
    outputs = []
    for row in references:
        labels = [choice["label"] for choice in row["question"]["choices"]]
        said = row["answerKey"] if drawn[row["id"]] == "right" else next(x for x in labels if x != row["answerKey"])
        silent = drawn[row["id"]] == "silent"
        outputs.append({"qid": row["id"], "output": "I cannot tell." if silent else f"({said})."})
    draw.shuffle(outputs)
    predictions, out = tmp_path / "outputs.jsonl", tmp_path / "scored.json"
    write_jsonl(predictions, outputs)
    mapping = ["id=id", "prediction_id=qid", "prediction=output", "answer=answerKey", "labels=question.choices.label"]
    arguments = ["--predictions", str(predictions), "--references", str(ARC), "--rule", "label", "--out", str(out)]
    assert main(["score", *arguments, "--mapping", *mapping]) == 0
    report, counts = read_json(out), {kind: list(drawn.values()).count(kind) for kind in ("right", "silent")}
    assert report["n"] == 570
    assert report["unparsed"] == counts["silent"]
    assert report["metrics"]["accuracy"]["value"] == round(counts["right"] / 570, 6)
    assert len(read_jsonl(out.with_suffix(".jsonl"))) == 570
    assert capsys.readouterr().out.startswith(f"570 predictions, {counts['silent']} unparsed; accuracy ")


def test_the_command_needs_no_checkout_and_says_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.jsonl").write_text(json.dumps({"id": 1, "output": "x"}))
    arguments = ["--predictions", "p.jsonl", "--references", "r.jsonl"]
    assert main(["score", *arguments, "--mapping", "id=id", "prediction=output", "answer=key"]) == 2
    assert "r.jsonl does not exist" in capsys.readouterr().err
