from __future__ import annotations

from pathlib import Path

from acclimate.core.files import write_jsonl
from acclimate.release.reference import question_of, reference_questions, trial_question


def test_the_question_is_taken_out_of_a_prompt() -> None:
    assert question_of("Question: What does f do?\nAnswer:") == "What does f do?"
    assert question_of("Question: What does f do?\nAnswer: It sorts.\nIn place.") == "What does f do?"
    assert question_of("import numpy as np") == "import numpy as np"


def test_a_context_before_the_question_is_left_out() -> None:
    assert question_of("numpy.f(x)\n\nQuestion: What does f do?\nAnswer: It sorts.") == "What does f do?"


def test_the_sample_is_the_same_whatever_the_order_of_the_training_set(tmp_path: Path) -> None:
    rows = [{"id": str(n), "kind": "domain_questions", "text": f"Question: {n}?\nAnswer: x"} for n in range(50)]
    rows.append({"id": "d", "kind": "domain_documents", "text": "numpy"})
    write_jsonl(tmp_path / "a.jsonl", rows)
    write_jsonl(tmp_path / "b.jsonl", rows[::-1])
    sample = reference_questions(tmp_path / "a.jsonl", sample=10)
    assert sample == reference_questions(tmp_path / "b.jsonl", sample=10)
    assert len(set(sample)) == 10


def test_where_nothing_was_asked_a_served_model_is_tried_with_the_first_line_of_a_text(tmp_path: Path) -> None:
    rows = [{"id": "d", "kind": "domain_documents", "text": "numpy.f\n\nSort it."}]
    write_jsonl(tmp_path / "texts.jsonl", rows)
    assert trial_question(tmp_path / "texts.jsonl") == "numpy.f"
    rows.append({"id": "q", "kind": "domain_questions", "text": "Question: What does f do?\nAnswer: It sorts."})
    write_jsonl(tmp_path / "both.jsonl", rows)
    assert trial_question(tmp_path / "both.jsonl") == "What does f do?"
