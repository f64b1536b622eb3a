"""The evaluation items: what a model is asked, as `split` writes it and the later stages read it.

    evaluation/domain_cloze.jsonl    {"id": "9f2c…:412", "document": "9f2c…", "cluster": "numpy.savetxt",
                                      "left": "…", "right": "…", "choices": ["axis", …], "label": 2}
    evaluation/domain_text.jsonl     {"id": "9f2c…:0", "document": "9f2c…", "cluster": "…", "text": "…"}

A cloze item leaves a term out of a held-out document: which of four terms stands between `left` and
`right`? A text item is the opening of a held-out document, for compression in bits per byte.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acclimate.core.errors import UserError
from acclimate.core.files import read_jsonl

CLOZE_TASKS = ("domain_cloze", "general_cloze")
TEXT_TASKS = ("domain_text", "general_text")
TASKS = (*CLOZE_TASKS, *TEXT_TASKS)


@dataclass(frozen=True)
class ClozeItem:
    """A window of a held-out document with one term missing."""

    id: str
    """Document id and the offset of the missing term in its text."""
    document: str
    cluster: str
    left: str
    right: str
    choices: list[str]
    label: int
    """Which of the choices stands in the document."""

    @property
    def text(self) -> str:
        """The window as it stands in the document."""
        return self.left + self.choices[self.label] + self.right


@dataclass(frozen=True)
class TextItem:
    """The opening of a held-out document."""

    id: str
    document: str
    cluster: str
    text: str


@dataclass(frozen=True)
class Question:
    """An evaluation item as the contamination check sees it."""

    task: str
    id: str
    text: str


def read_questions(directory: Path) -> list[Question]:
    """Every item of every task in `directory`, tasks in the order of TASKS.

    Raises:
        UserError: if a task's file is missing or none of the files has an item.
    """
    missing = [f"{task}.jsonl" for task in TASKS if not (directory / f"{task}.jsonl").exists()]
    questions = [
        Question(task, row["id"], _text(row))
        for task in TASKS
        if not missing
        for row in read_jsonl(directory / f"{task}.jsonl")
    ]
    if missing or not questions:
        raise UserError(
            f"{directory} " + (f"lacks {', '.join(missing)}" if missing else "holds no evaluation item"),
            why="training text cannot be checked against items that are not there",
            fix="run `dvc repro split`, which draws them",
        )
    return questions


def _text(row: dict[str, Any]) -> str:
    return ClozeItem(**row).text if "choices" in row else TextItem(**row).text
