"""review: what the command hands out, fills in and takes back."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from acclimate.cli import main
from acclimate.core.files import read_jsonl, write_json, write_jsonl
from acclimate.data.evaluation.annotations import read_annotations
from acclimate.data.evaluation.examples import Example, GroundTruth, Pending, example_id, write_rows
from acclimate.data.evaluation.review_queue import newest_queue

IDS = [example_id(f"What is {number}?", "That.") for number in range(3)]
REVIEWS = Path("inputs/evaluation/reviews.jsonl")


def write_queue(root: Path, numbers: list[int]) -> None:
    folder = root / "artifacts/evaluation_set"
    truth = GroundTruth(answer="This.", answer_type="phrase", key_concepts=[], evaluation_criteria=[])
    fields: dict[str, Any] = {"type": "factual", "difficulty": "easy", "difficulty_from": "given", "source": "a book"}
    fields |= {"domain_category": "pottery", "source_kind": "expert", "group": "g", "cluster": "c", "annotators": 0}
    fields |= {"quality_score": 1.0, "annotation_confidence": 0.0, "complexity_score": 0.2, "ground_truth": truth}
    examples = [Example(id=IDS[number], question=f"What is {number}?", **fields) for number in numbers]
    write_rows(folder / "examples.jsonl", examples)
    write_rows(
        folder / "pending.jsonl",
        [Pending(reason="nobody has reviewed it", proposed_answer="That.", example=one) for one in examples],
    )
    write_jsonl(folder / "rejected.jsonl", [])


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout whose evaluation set has three examples to review."""
    write_queue(tmp_path, [0, 1, 2])
    monkeypatch.setenv("ACCLIMATE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fill_in(file: Path, **fields: Any) -> None:
    write_jsonl(file, [row | {"verdict": "accept", "confidence": 0.9} | fields for row in read_jsonl(file)])


def test_an_exported_file_comes_back_filled_in(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["review", "export", "--annotator", "ada", "--out", "ada.jsonl"]) == 0
    assert read_jsonl(Path("ada.jsonl"))[0] == {
        "example": IDS[0],
        "reason": "nobody has reviewed it",
        "question": "What is 0?",
        "proposed_answer": "That.",
        "proposed_difficulty": "easy",
        "source_kind": "expert",
        "source": "a book",
        "annotator": "ada",
        "verdict": None,
        "answer": None,
        "confidence": None,
        "difficulty": None,
    }
    fill_in(Path("ada.jsonl"), difficulty="hard")
    for expected in ("3 judgements added", "0 judgements added", "0 judgements added"):
        assert main(["review", "import", "ada.jsonl"]) == 0
        assert expected in capsys.readouterr().out
    assert {label.example: label.difficulty for label in read_annotations(REVIEWS)} == dict.fromkeys(IDS, "hard")


def test_what_one_has_judged_is_not_handed_out_again_to_that_one(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = {"example": IDS[1], "annotator": "ada", "verdict": "accept", "confidence": 0.9}
    write_jsonl(Path("one.jsonl"), [line])
    main(["review", "import", "one.jsonl"])
    capsys.readouterr()
    for name, ids in {"ada": [IDS[0], IDS[2]], "bob": IDS}.items():
        main(["review", "export", "--annotator", name])
        assert [json.loads(row)["example"] for row in capsys.readouterr().out.splitlines()] == ids


def test_bad_lines_are_named_and_the_good_ones_are_in(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = {"example": IDS[0], "annotator": "ada", "verdict": "accept", "confidence": 0.9}
    write_jsonl(Path("ada.jsonl"), [good, good | {"confidence": 2}, good | {"example": "0" * 16}])
    assert main(["review", "import", "ada.jsonl"]) == 2
    said = capsys.readouterr()
    assert "2 of 3 judgements were not imported" in said.err
    assert "ada.jsonl:2: confidence: Input should be less than or equal to 1" in said.err
    assert "ada.jsonl:3: example: the newest evaluation set knows no 0000000000000000" in said.err
    assert "1 judgements added" in said.out
    assert len(read_annotations(REVIEWS)) == 1


def test_an_answer_that_nobody_has_proposed_cannot_be_accepted(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = checkout / "artifacts/evaluation_set"
    unanswered = example_id("What is 0?", "")
    for name in ("examples.jsonl", "pending.jsonl"):
        text = (folder / name).read_text().replace(IDS[0], unanswered)
        (folder / name).write_text(text)
    good = {"example": IDS[1], "annotator": "ada", "verdict": "accept", "confidence": 0.9}
    write_jsonl(Path("ada.jsonl"), [good, good | {"example": unanswered}])
    assert main(["review", "import", "ada.jsonl"]) == 2
    assert "ada.jsonl:2: verdict: there is no proposed answer to accept" in capsys.readouterr().err
    assert [label.example for label in read_annotations(REVIEWS)] == [IDS[1]]
    with REVIEWS.open("a") as file:
        file.write(json.dumps(good | {"example": unanswered}) + "\n")
    waiting = newest_queue(checkout).waiting_for("ada")
    assert [one.example.id for one in waiting] == [unanswered, IDS[2]], "it still waits for an answer of hers"


def test_a_file_that_is_not_there_is_said_to_be(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["review", "import", "nobody.jsonl"]) == 2
    assert "nobody.jsonl cannot be read" in capsys.readouterr().err


def test_before_the_first_evaluation_set_the_command_says_what_draws_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ACCLIMATE_HOME", str(tmp_path))
    assert main(["review", "export", "--annotator", "ada"]) == 2
    assert "run `dvc repro evaluation_set`" in capsys.readouterr().err


def test_the_queue_is_that_of_whatever_was_drawn_last(checkout: Path) -> None:
    run = {"key": "a", "opened": "2026-11-21T09:00:00+00:00", "commit": "0", "changes": {}}
    write_json(checkout / ".acclimate/runs/a.json", run)
    write_queue(checkout / ".acclimate/runs/a", [1])
    for newer, ids in ((".acclimate/runs/a", [IDS[1]]), (".", IDS)):
        file = checkout / newer / "artifacts/evaluation_set/pending.jsonl"
        os.utime(file, ns=(2**62, 2**62) if newer == "." else (2**61, 2**61))
        queue = newest_queue(checkout)
        assert [one.example.id for one in queue.waiting_for("ada")] == ids
        assert queue.known == set(ids)
        assert queue.reviews == checkout / REVIEWS


def test_agreement_is_told_in_one_line_each(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (checkout / "params.yaml").write_text((Path(__file__).parents[2] / "params.yaml").read_text())
    assert main(["review", "agreement"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "verdict     0 examples were labelled by two people or more; 10 are needed",
        "difficulty  0 examples were labelled by two people or more; 10 are needed",
    ]
