"""The review queue of the newest evaluation set: what a person is shown, and what came of it.

    queue = newest_queue(home())
    queue.waiting_for("ada")        # what ada has not judged yet, most urgent first
    queue.known                     # ids that may be judged

The newest is the one written last, by `dvc repro` in the checkout or in any of its runs; judgements go to the
checkout, from where every later run takes them. The orchestrator's environment imports this module too.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acclimate.core.errors import UserError
from acclimate.core.files import read_jsonl
from acclimate.core.runs import run_path, runs
from acclimate.data.evaluation.annotations import REVIEWS, latest, read_annotations, without_empty_accepts
from acclimate.data.evaluation.examples import (
    EXAMPLES_FILE,
    PENDING_FILE,
    Pending,
    example_id,
    read_examples,
    read_pending,
)

FOLDER = Path("artifacts/evaluation_set")


@dataclass(frozen=True)
class Queue:
    """One evaluation set's queue, and where judgements of it go."""

    folder: Path
    reviews: Path

    @property
    def known(self) -> set[str]:
        """Ids of everything that was proposed for the set, used or not."""
        files = (EXAMPLES_FILE, "rejected.jsonl")
        return {str(row["id"]) for name in files for row in read_jsonl(self.folder / name)}

    @property
    def unanswered(self) -> set[str]:
        """Ids of what was proposed without an answer, whatever people have made of it since."""
        waiting = [one.example for one in read_pending(self.folder / PENDING_FILE)]
        examples = [*read_examples(self.folder / EXAMPLES_FILE), *waiting]
        return {one.id for one in examples if one.id == example_id(one.question, "")}

    def find(self, example: str) -> Pending | None:
        """What waits under this id."""
        return next((one for one in read_pending(self.folder / PENDING_FILE) if one.example.id == example), None)

    def waiting_for(self, annotator: str) -> list[Pending]:
        """What `annotator` has not judged yet, most urgent first."""
        labels, _ = without_empty_accepts(latest(read_annotations(self.reviews)), self.unanswered)
        return [
            one for one in read_pending(self.folder / PENDING_FILE) if annotator not in labels.get(one.example.id, {})
        ]


def newest_queue(root: Path) -> Queue:
    """The queue that was written last below the checkout `root`.

    Raises:
        UserError: if there is none yet.
    """
    folders = [root / FOLDER, *(run_path(root, run.key) / FOLDER for run in runs(root))]
    written = [folder for folder in folders if (folder / PENDING_FILE).exists()]
    if not written:
        raise UserError(
            "no evaluation set has been drawn yet",
            why="the review queue is a part of it",
            fix="run `dvc repro evaluation_set`, or trigger adapt_data in Airflow",
        )
    newest = max(written, key=lambda folder: (folder / PENDING_FILE).stat().st_mtime_ns)
    return Queue(newest, root / REVIEWS)


def to_fill_in(pending: Pending, annotator: str) -> dict[str, Any]:
    """A line for `annotator` to fill in: the empty judgement, among what there is to judge.

    `annotations` passes over the fields that only show the example when the line comes back.
    """
    example = pending.example
    return {
        "example": example.id,
        "reason": pending.reason,
        "question": example.question,
        "proposed_answer": pending.proposed_answer,
        "proposed_difficulty": example.difficulty,
        "source_kind": example.source_kind,
        "source": example.source,
        "annotator": annotator,
        "verdict": None,
        "answer": None,
        "confidence": None,
        "difficulty": None,
    }
