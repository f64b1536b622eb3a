"""From a proposal and what people said of it to an example, and whether it may be used.

    judge(proposal, labels, vocabulary, params)    # Judged(…, problem="", …): usable

What a person says comes first, then what came with the example, then what can be computed: quality by the
rules of quality.py, difficulty by those of complexity.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from acclimate.core.params import EvaluationSetParams
from acclimate.core.records import Reject
from acclimate.data.cleaning.quality import score
from acclimate.data.evaluation.annotations import Annotation
from acclimate.data.evaluation.complexity import Vocabulary
from acclimate.data.evaluation.consensus import Consensus, consensus
from acclimate.data.evaluation.examples import AnswerType, Difficulty, Example, GroundTruth, Pending
from acclimate.data.evaluation.proposals import Proposal

WAITING = "waits for review"
LOW_QUALITY = "low quality"
TURNED_DOWN = "rejected in review"

KEY_CONCEPTS = 8
"""An answer that names more terms is not better for naming all of them."""
PHRASE_WORDS = 5
_NUMBER = re.compile(r"[-+]?\d[\d.,]*(\s?%)?")
_QUESTION_TYPES = (
    ("definition", re.compile(r"(what (is|are)|define)\b", re.IGNORECASE)),
    ("procedure", re.compile(r"how\b", re.IGNORECASE)),
    ("explanation", re.compile(r"why\b", re.IGNORECASE)),
    ("yes_no", re.compile(r"(is|are|was|were|do|does|did|can|could|may|must|should|will|has|have)\b", re.IGNORECASE)),
)
"""By how a question opens; any other is 'factual'."""


@dataclass(frozen=True)
class Judged:
    """A proposal as an example."""

    proposal: Proposal
    example: Example
    problem: str
    """Why it may not be used, as a phrase that can be counted; empty if it may."""
    detail: str

    def pending(self, reason: str) -> Pending:
        """It, in the review queue."""
        return Pending(reason=reason, proposed_answer=self.proposal.answer, example=self.example)

    def reject(self) -> Reject:
        """It, not used."""
        return self.proposal.rejected(self.problem, self.detail)


def judge(
    proposal: Proposal, labels: Mapping[str, Annotation], vocabulary: Vocabulary, params: EvaluationSetParams
) -> Judged:
    """Complete `proposal` with what `labels` (annotator to judgement) and computation add, and judge it."""
    agreed = consensus(list(labels.values()), proposal.answer) if labels else None
    example = _example(proposal, agreed, vocabulary, params)
    problem, detail = _problem(example, agreed, params)
    return Judged(proposal, example, problem, detail)


def _problem(example: Example, agreed: Consensus | None, params: EvaluationSetParams) -> tuple[str, str]:
    sure = example.annotation_confidence > params.min_annotation_confidence
    if agreed is not None and not agreed.keep and sure:
        return TURNED_DOWN, f"confidence {agreed.confidence:g} of {agreed.annotators}"
    if example.quality_score <= params.min_quality:
        return LOW_QUALITY, f"quality {example.quality_score:g}, more than {params.min_quality:g} needed"
    if not example.ground_truth.answer:
        return WAITING, "it has no answer yet"
    if not sure:
        who = f"of {agreed.annotators} annotators" if agreed else "and nobody has reviewed it"
        needed = params.min_annotation_confidence
        return WAITING, f"confidence {example.annotation_confidence:g} {who}; more than {needed:g} needed"
    return "", ""


def _example(
    proposal: Proposal, agreed: Consensus | None, vocabulary: Vocabulary, params: EvaluationSetParams
) -> Example:
    given = proposal.given
    answer = agreed.answer if agreed else proposal.answer
    complexity = vocabulary.complexity(given.question, answer)
    confidence = agreed.confidence if agreed else given.annotation_confidence
    quality = given.quality_score
    example = {
        "id": proposal.id,
        "question": given.question,
        "ground_truth": _ground_truth(proposal, answer, vocabulary),
        "type": given.type or question_type(given.question),
        "domain_category": given.domain_category or proposal.domain,
        "source_kind": proposal.kind,
        "source": given.source or proposal.kind,
        "group": given.group or proposal.id,
        "cluster": proposal.cluster,
        "quality_score": score(f"{given.question} {answer}").value if quality is None else quality,
        "annotation_confidence": confidence or 0.0,
        "annotators": agreed.annotators if agreed else 0,
        "complexity_score": complexity,
    }
    level, source = _difficulty(proposal, agreed, complexity, params)
    return Example.model_validate(example | {"difficulty": level, "difficulty_from": source})


def _ground_truth(proposal: Proposal, answer: str, vocabulary: Vocabulary) -> GroundTruth:
    """What was given; terms and type follow the answer if a person has corrected it."""
    given = proposal.given.ground_truth
    own = answer == proposal.answer
    concepts = given.key_concepts if own and given.key_concepts is not None else vocabulary.concepts(answer)
    concepts = concepts[:KEY_CONCEPTS]
    criteria = ["says what the reference answer says and nothing that contradicts it"]
    criteria += [f"names {', '.join(concepts)}"] if concepts else []
    return GroundTruth(
        answer=answer,
        answer_type=given.answer_type if own and given.answer_type else answer_type(answer),
        key_concepts=concepts,
        evaluation_criteria=given.evaluation_criteria or criteria,
    )


def _difficulty(
    proposal: Proposal, agreed: Consensus | None, complexity: float, params: EvaluationSetParams
) -> tuple[Difficulty, str]:
    if agreed and agreed.difficulty:
        return agreed.difficulty, "annotators"
    if proposal.given.difficulty:
        return proposal.given.difficulty, "given"
    if complexity < params.easy_below:
        return "easy", "computed"
    return ("medium" if complexity < params.hard_from else "hard"), "computed"


def question_type(question: str) -> str:
    """What kind of answer a question asks for, by how its last line opens; what stands before that is context."""
    asked = question.strip().rsplit("\n", 1)[-1].strip()
    return next((name for name, opening in _QUESTION_TYPES if opening.match(asked)), "factual")


def answer_type(answer: str) -> AnswerType:
    """How an answer can be compared: exactly (yes_no, number, phrase) or by what it says (text)."""
    bare = answer.strip().rstrip(".!").casefold()
    if bare in ("yes", "no", "true", "false"):
        return "yes_no"
    if _NUMBER.fullmatch(bare):
        return "number"
    return "phrase" if len(bare.split()) <= PHRASE_WORDS else "text"
