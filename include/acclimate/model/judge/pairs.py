"""Two models' answers to the same questions, with what is right."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from acclimate.core.errors import UserError
from acclimate.model.predictions.joining import by_id, require_same_ids, text_at


@dataclass(frozen=True)
class Pair:
    """One question and its two answers."""

    id: str
    question: str
    reference: str
    candidate: str
    other: str


def read_pairs(predictions: Path, against: Path, references: Path, mapping: dict[str, str]) -> list[Pair]:
    """The questions that both models answered, in the order of the first file; there may be more references.

    Raises:
        UserError: if a file cannot be read, an id or a field is missing, or the two were asked different questions.
    """
    if "question" not in mapping:
        raise UserError(
            "--mapping names no question",
            why="without it nobody can say which answer is better",
            fix="add question=PATH, where in a reference the question stands",
        )
    ours, theirs = (by_id(path, _id_path(mapping), ("prediction",), mapping) for path in (predictions, against))
    right = by_id(references, mapping["id"], ("question", "answer"), mapping)
    require_same_ids(predictions, ours.keys() - theirs.keys(), against)
    require_same_ids(against, theirs.keys() - ours.keys(), predictions)
    require_same_ids(predictions, ours.keys() - right.keys(), references)
    return [
        Pair(
            id=identity,
            question=text_at(right[identity], mapping["question"]),
            reference=text_at(right[identity], mapping["answer"]),
            candidate=text_at(record, mapping["prediction"]),
            other=text_at(theirs[identity], mapping["prediction"]),
        )
        for identity, record in ours.items()
    ]


def _id_path(mapping: dict[str, str]) -> str:
    return mapping.get("prediction_id", mapping["id"])
