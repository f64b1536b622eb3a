r"""What people said about proposed evaluation examples.

    {"example": "5d0c…", "annotator": "ada", "verdict": "edit", "answer": "Pool.join does.",
     "confidence": 0.9, "difficulty": "easy", "recorded": "2026-11-21T09:30:00+00:00"}

Lines are only ever added to inputs/evaluation/reviews.jsonl: of two by one annotator on one example the later
counts, and the earlier stays as the record of it. `accept` and `edit` endorse an answer, the proposed or a
corrected one; `reject` says that the example should not be used.

The orchestrator's environment imports this module for its review page: standard library and pydantic only.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from acclimate.core.errors import UserError
from acclimate.core.files import write_text
from acclimate.data.evaluation.examples import Difficulty, Text

REVIEWS = Path("inputs/evaluation/reviews.jsonl")
"""Relative to the checkout: beside the examples that people give, watched by DVC with them."""

Verdict = Literal["accept", "reject", "edit"]
VERDICTS: tuple[Verdict, ...] = ("accept", "reject", "edit")


SHOWN = frozenset({"reason", "question", "proposed_answer", "proposed_difficulty", "source_kind", "source"})
"""Fields of an exported line that show the example; they may come back, and say nothing."""


class Annotation(BaseModel):
    """One person's judgement of one example."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    example: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    annotator: Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")]
    verdict: Verdict
    answer: Text | None = None
    """The corrected answer, with `edit` only."""
    confidence: Annotated[float, Field(gt=0, le=1)]
    difficulty: Difficulty | None = None
    recorded: str | None = None
    """When it was added: UTC, ISO 8601; set by `add_annotations`."""

    @model_validator(mode="after")
    def _answer_with_edit(self) -> Annotation:
        if (self.verdict == "edit") != (self.answer is not None):
            raise ValueError("the verdict 'edit' needs a corrected answer, and no other verdict has one")
        return self

    def says_the_same_as(self, other: Annotation | None) -> bool:
        """Whether `other` is the same judgement, whenever it was recorded."""
        return other is not None and self.model_copy(update={"recorded": None}) == other.model_copy(
            update={"recorded": None}
        )


@dataclass(frozen=True)
class BadLine:
    """A line that is no annotation: where it stands and why."""

    origin: str
    reason: str


@dataclass(frozen=True)
class Added:
    """What adding annotations did."""

    new: int
    replaced: int
    """Of these, the ones that stand in for an earlier judgement of the same person on the same example."""
    unchanged: int
    """Known word for word: not added again."""


Labels = dict[str, dict[str, Annotation]]
"""Example to annotator to that person's latest judgement."""


def parse_lines(
    lines: Iterable[str], origin: str, known: Set[str] | None = None, unanswered: Set[str] = frozenset()
) -> list[Annotation | BadLine]:
    """Each judgement as an annotation, or as the reason why it is none; lines not filled in are passed over.

    Args:
        lines: JSONL, as `acclimate review export` writes it or without the fields that only show the example.
        origin: the file's name, for the reasons.
        known: ids of examples that may be judged; None: any.
        unanswered: ids of examples without a proposed answer, which nobody can accept.
    """
    written = ((line, f"{origin}:{number}") for number, line in enumerate(lines, start=1) if line.strip())
    found = (_parsed(line, place, known, unanswered) for line, place in written)
    return [line for line in found if line is not None]


def _parsed(line: str, origin: str, known: Set[str] | None, unanswered: Set[str]) -> Annotation | BadLine | None:
    try:
        row = json.loads(line)
    except ValueError as fault:
        return BadLine(origin, f"not JSON: {fault}")
    if not isinstance(row, dict):
        return BadLine(origin, "not a JSON object")
    if "verdict" in row and not row["verdict"]:
        return None
    try:
        annotation = Annotation.model_validate({name: value for name, value in row.items() if name not in SHOWN})
    except ValidationError as faults:
        return BadLine(origin, "; ".join(_sentence(fault) for fault in faults.errors(include_url=False)))
    reason = _unfit(annotation, known, unanswered)
    return annotation if reason is None else BadLine(origin, reason)


def _unfit(annotation: Annotation, known: Set[str] | None, unanswered: Set[str]) -> str | None:
    """Why the annotation, well-formed, cannot be about the example that it names."""
    if known is not None and annotation.example not in known:
        return f"example: the newest evaluation set knows no {annotation.example}"
    if annotation.verdict == "accept" and annotation.example in unanswered:
        return "verdict: there is no proposed answer to accept; 'edit' gives one"
    return None


def _sentence(fault: Any) -> str:
    where = ".".join(str(part) for part in fault["loc"])
    message = " ".join(str(fault["msg"]).split()).removeprefix("Value error, ")
    return f"{where}: {message}" if where else message


def read_annotations(path: Path) -> list[Annotation]:
    """Every annotation in `path`, in the order of their recording; none if there is no such file.

    Raises:
        UserError: if a line is damaged; people's work is not passed over in silence.
    """
    if not path.exists():
        return []
    found = parse_lines(path.read_text(encoding="utf-8").split("\n"), path.name)
    bad = [line for line in found if isinstance(line, BadLine)]
    if bad:
        raise UserError(
            f"{path} has {len(bad)} damaged lines; the first: {bad[0].origin}: {bad[0].reason}",
            why="a judgement that cannot be read would be lost",
            fix="mend the lines, or take them out",
        )
    return [line for line in found if isinstance(line, Annotation)]


def latest(annotations: Iterable[Annotation]) -> Labels:
    """What counts now: of each person on each example the last judgement."""
    labels: Labels = defaultdict(dict)
    for annotation in annotations:
        labels[annotation.example][annotation.annotator] = annotation
    return dict(labels)


def without_empty_accepts(labels: Labels, unanswered: Set[str]) -> tuple[Labels, int]:
    """`labels` less those that accept an answer nobody has proposed, and how many these are.

    `parse_lines` takes none in, but a line can be written by hand, or outlive the answer it was about.

    Args:
        labels: what counts otherwise.
        unanswered: ids of examples without a proposed answer.
    """
    saying = {
        example: {
            name: label for name, label in of_example.items() if label.verdict != "accept" or example not in unanswered
        }
        for example, of_example in labels.items()
    }
    empty = sum(map(len, labels.values())) - sum(map(len, saying.values()))
    return {example: of_example for example, of_example in saying.items() if of_example}, empty


def add_annotations(path: Path, annotations: Sequence[Annotation], *, now: str) -> Added:
    """Add to `path` what it does not say already; idempotent, whole or not at all, safe beside other writers.

    Args:
        path: reviews.jsonl.
        annotations: in the order in which they were made.
        now: UTC, ISO 8601.
    """
    with _locked(path):
        known = latest(read_annotations(path))
        new: list[Annotation] = []
        replaced = 0
        for annotation in annotations:
            of_example = known.setdefault(annotation.example, {})
            before = of_example.get(annotation.annotator)
            if not annotation.says_the_same_as(before):
                of_example[annotation.annotator] = annotation
                new.append(annotation.model_copy(update={"recorded": now}))
                replaced += before is not None
        if new:
            text = path.read_text(encoding="utf-8") if path.exists() else ""
            end = "\n" if text and not text.endswith("\n") else ""
            added = "".join(f"{annotation.model_dump_json(exclude_none=True)}\n" for annotation in new)
            write_text(path, f"{text}{end}{added}")
    return Added(len(new), replaced, len(annotations) - len(new))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One writer at a time; the kernel frees the lock when its holder dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # The folder itself: a lock file would be one more file that DVC hashes.
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
