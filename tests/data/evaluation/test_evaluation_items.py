"""Evaluation items: what the contamination check reads of them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from acclimate.core.errors import UserError
from acclimate.core.files import write_jsonl
from acclimate.data.evaluation.evaluation_items import TASKS, ClozeItem, Question, TextItem, read_questions

CLOZE = ClozeItem("d1:4", "d1", "c", "The ", " turns.", ["sky", "wheel", "law", "sum"], 1)
TEXT = TextItem("d2:0", "d2", "c", "A text.")


def test_a_cloze_item_is_read_as_its_whole_window(tmp_path: Path) -> None:
    for task in TASKS:
        write_jsonl(tmp_path / f"{task}.jsonl", [asdict(CLOZE if "cloze" in task else TEXT)])
    assert read_questions(tmp_path) == [
        Question("domain_cloze", "d1:4", "The wheel turns."),
        Question("general_cloze", "d1:4", "The wheel turns."),
        Question("domain_text", "d2:0", "A text."),
        Question("general_text", "d2:0", "A text."),
    ]


def test_a_missing_task_is_named(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "domain_cloze.jsonl", [asdict(CLOZE)])
    with pytest.raises(UserError, match=r"lacks general_cloze\.jsonl, domain_text\.jsonl, general_text\.jsonl"):
        read_questions(tmp_path)


def test_an_empty_evaluation_set_is_refused(tmp_path: Path) -> None:
    for task in TASKS:
        write_jsonl(tmp_path / f"{task}.jsonl", [])
    with pytest.raises(UserError, match="holds no evaluation item"):
        read_questions(tmp_path)
