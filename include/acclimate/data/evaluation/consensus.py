"""What the annotators of one example say together, and how much that can be trusted.

    consensus(labels, proposed="Pool.join.")    # Consensus(keep=True, answer="Pool.join.", confidence=0.9, …)

The confidence is how agreed people are times how sure those are who agree: with s the sum of the confidences of
all who labelled the example, and a that of the camp with the largest sum (all who endorse one answer, or
all who reject), annotation_confidence = a/s × mean confidence in that camp. One annotator at 0.9 gives
0.9; two at 0.9 against one at 0.9 give 0.6.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from acclimate.data.evaluation.annotations import Annotation
from acclimate.data.evaluation.examples import DIFFICULTIES, Difficulty


@dataclass(frozen=True)
class Consensus:
    """What the annotators of one example say together."""

    keep: bool
    answer: str
    """The endorsed one; the proposed one where the outcome is a rejection."""
    confidence: float
    difficulty: Difficulty | None
    annotators: int


def consensus(labels: Sequence[Annotation], proposed: str) -> Consensus:
    """What `labels`, at least one, say together about an example with the answer `proposed`."""
    assert labels
    camps: dict[str | None, list[Annotation]] = defaultdict(list)
    for label in labels:
        camps[_stand(label, proposed)].append(label)
    # Among equals the rejection, then the first answer in alphabetical order: below one half it counts for nothing.
    outcome = min(camps, key=lambda camp: (-_weight(camps[camp]), camp is not None, camp or ""))
    agreeing = camps[outcome]
    share = _weight(agreeing) / _weight(labels)
    return Consensus(
        keep=outcome is not None,
        answer=_wording(agreeing, proposed),
        confidence=round(share * _weight(agreeing) / len(agreeing), 4),
        difficulty=_difficulty(labels),
        annotators=len(labels),
    )


def _stand(label: Annotation, proposed: str) -> str | None:
    """The answer a label endorses, white space and case apart, or None for a rejection."""
    if label.verdict == "reject":
        return None
    return " ".join((label.answer or proposed).casefold().split())


def _wording(agreeing: Sequence[Annotation], proposed: str) -> str:
    """The endorsed answer as its first annotator, by name, wrote it."""
    edits = [label for label in sorted(agreeing, key=lambda label: label.annotator) if label.answer is not None]
    accepted = any(label.verdict != "edit" for label in agreeing)
    return proposed if accepted or not edits else str(edits[0].answer)


def _weight(labels: Iterable[Annotation]) -> float:
    return sum(label.confidence for label in labels)


def _difficulty(labels: Iterable[Annotation]) -> Difficulty | None:
    """The difficulty with the largest sum of confidences; of equals the harder; None if nobody named one."""
    sums: dict[Difficulty, float] = defaultdict(float)
    for label in labels:
        if label.difficulty is not None:
            sums[label.difficulty] += label.confidence
    return max(sums, key=lambda level: (sums[level], DIFFICULTIES.index(level)), default=None)
