"""What the training questions looked like, compact enough to travel with the registered model.

A sample of them is logged as `reference/questions.jsonl` at registration, so that drift can be measured
when the run's own files are long gone.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

from acclimate.core.files import read_jsonl

SAMPLE = 1000
"""Questions kept: as many as a permutation test works through in about a second."""

_PROMPT = re.compile(r"(?:.*\n)?Question: (?P<question>.*?)(?:\nAnswer:.*)?", re.DOTALL)


def question_of(text: str) -> str:
    r"""The question in a prompt or training text of the form 'Question: …\nAnswer: …'; else all of it."""
    match = _PROMPT.fullmatch(text)
    return match["question"].strip() if match else text.strip()


def reference_questions(dataset: Path, sample: int = SAMPLE) -> list[str]:
    """At most `sample` domain questions of a training set, chosen by hash: the same ones every time.

    Args:
        dataset: rows {"id", "kind", "text"}; questions have kind domain_questions.
        sample: how many to keep.
    """
    rows: list[dict[str, Any]] = [row for row in read_jsonl(dataset) if row["kind"] == "domain_questions"]
    rows.sort(key=lambda row: hashlib.sha256(str(row["id"]).encode()).hexdigest())
    return [question_of(row["text"]) for row in rows[:sample]]


def trial_question(dataset: Path) -> str:
    """Something of the domain to ask a served model: a question of the training set, or the first line of a text."""
    questions = reference_questions(dataset, sample=1)
    return questions[0] if questions else str(read_jsonl(dataset)[0]["text"]).splitlines()[0]
