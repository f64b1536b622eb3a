"""acclimate evaluation_set: the questions a model of the domain should be judged by, and what is missing of them.

    artifacts/evaluation_set/examples.jsonl    the examples (examples.py), in random order
    artifacts/evaluation_set/pending.jsonl     the review queue: what needs a person, and why
    artifacts/evaluation_set/rejected.jsonl    what is not in the set, with its reason
    artifacts/evaluation_set/data_docs/        what Great Expectations found of the set

Examples come from five kinds of source: files that people put into inputs/evaluation (proposals.py), and the
question-answer pairs of the test store, which count as benchmarks. Each kind has its quota, and inside it each
difficulty. A quota that is not met is named with what to add; whether its places stay empty, go to the other
kinds or stop the run is evaluation_set.on_shortfall. An example that also stands in training text stays:
it is for `decontaminate` to take that text out of training.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from acclimate.core.errors import UserError
from acclimate.core.files import read_parquet, sha256, write_jsonl
from acclimate.core.params import CommonParams, EvaluationSetParams
from acclimate.core.records import GENERAL, Reject
from acclimate.core.reports import Funnel
from acclimate.data.evaluation.agreement import Agreement, agreement
from acclimate.data.evaluation.annotations import (
    REVIEWS,
    Labels,
    latest,
    read_annotations,
    without_empty_accepts,
)
from acclimate.data.evaluation.complexity import Vocabulary
from acclimate.data.evaluation.example_draw import draw, without_near_duplicates
from acclimate.data.evaluation.examples import (
    DIFFICULTIES,
    EXAMPLES_FILE,
    PENDING_FILE,
    SOURCE_KINDS,
    Example,
    Pending,
    write_rows,
)
from acclimate.data.evaluation.judging import WAITING, Judged, judge
from acclimate.data.evaluation.proposals import Proposal, held_out_pairs, read_given
from acclimate.data.evaluation.quotas import largest_remainder
from acclimate.data.validation.example_checks import check_examples

UNREVIEWED = "nobody has reviewed it"
NO_ROOM = "no room in its quota"


@dataclass(frozen=True)
class SourceKindReport:
    """One kind of source against its quota."""

    wanted: int
    examples: int
    usable: int
    """Good enough and different from each other: what the examples were drawn from."""
    waiting: int
    """Usable once a person says so."""


@dataclass(frozen=True)
class DifficultyReport:
    """One level of difficulty against its quota."""

    wanted: int
    """Of the examples that there are."""
    examples: int
    usable: int


@dataclass(frozen=True)
class EvaluationSetReport:
    """What the evaluation set consists of, what is missing, and what waits for people."""

    funnel: Funnel
    wanted: int
    kinds: dict[str, SourceKindReport]
    difficulties: dict[str, DifficultyReport]
    difficulty_from: dict[str, int]
    """Who said how hard the examples are."""
    unmet_share: float
    """Of the wanted places, those that no example of their kind fills (0–1), whether others stand there or not."""
    notes: list[str]
    """Every quota that is not met, by how many, and what to add."""
    queue: dict[str, int]
    """Number of examples in the review queue, by what becomes of them meanwhile."""
    reviewed: int
    """Examples of the set that somebody has looked at."""
    agreement: dict[str, Agreement]
    expectations: int
    """Great Expectations that all examples of the set meet."""
    examples_sha256: str

    def headline(self) -> str:
        """'200 examples: benchmarks 200; 85 % of the places lack their kind: customer_queries 0 of 80, …'."""
        kinds = ", ".join(f"{name} {kind.examples:,}" for name, kind in self.kinds.items() if kind.examples)
        total = sum(kind.examples for kind in self.kinds.values())
        short = [
            f"{name} {kind.examples:,} of {kind.wanted:,}"
            for name, kind in self.kinds.items()
            if kind.examples < kind.wanted
        ]
        unmet = f"{100 * self.unmet_share:.0f} % of the places lack their kind: {', '.join(short)}"
        return f"{total:,} examples: {kinds or 'none'}; {unmet if short else 'every quota is met'}"


def run(
    params: EvaluationSetParams, common: CommonParams, *, given: Path, stores: Path, out: Path
) -> EvaluationSetReport:
    """Draw the evaluation set from what people gave and from the test store.

    Raises:
        UserError: if a file in `given` names no kind of source, a review is damaged, or a quota is not met and
            params.on_shortfall is "stop".
    """
    proposals, rejects = _proposals(params, given, stores)
    records = len(proposals) + len(rejects)
    unanswered = {proposal.id for proposal in proposals if not proposal.answer}
    labels, empty = without_empty_accepts(latest(read_annotations(given / REVIEWS.name)), unanswered)
    judged = _judged(params, proposals, labels, stores)
    rejects += [one.reject() for one in judged if one.problem not in ("", WAITING)]
    hopeful = [one for one in judged if one.problem in ("", WAITING)]
    different, copies = without_near_duplicates(hopeful, params.duplicate_threshold, common.seed)
    usable = [one for one in different if not one.problem]
    chosen = draw(params, [one.example for one in usable], common.seed)
    rejects += [*copies, *_left_over(different, chosen)]
    pending = _queue(different, chosen)
    write_rows(out / EXAMPLES_FILE, chosen)
    write_rows(out / PENDING_FILE, pending)
    write_jsonl(out / "rejected.jsonl", [asdict(reject) for reject in rejects])
    kinds = _kinds(params, chosen, different)
    difficulties = _difficulties(params, chosen, usable)
    return EvaluationSetReport(
        funnel=Funnel.of(records, len(chosen), rejects),
        wanted=params.examples,
        kinds=kinds,
        difficulties=difficulties,
        difficulty_from=dict(sorted(Counter(example.difficulty_from for example in chosen).items())),
        unmet_share=round(sum(max(0, kind.wanted - kind.examples) for kind in kinds.values()) / params.examples, 4),
        notes=_notes(params, kinds, difficulties) + _empty_accepts(empty),
        queue=_queue_sizes(pending),
        reviewed=sum(example.annotators > 0 for example in chosen),
        agreement=agreement(labels, seed=common.seed),
        expectations=_expectations_met(params, chosen, out),
        examples_sha256=sha256(out / EXAMPLES_FILE),
    )


def _expectations_met(params: EvaluationSetParams, chosen: Sequence[Example], out: Path) -> int:
    """How many expectations Great Expectations checked the set against; what was drawn by the rules meets them all."""
    checks = check_examples(params, chosen, out / "data_docs")
    failed = [f"{check.name} {check.rule}" for check in checks if not check.success]
    assert not failed, f"what was drawn does not meet {', '.join(failed)}"
    return len(checks)


def _left_over(different: Sequence[Judged], chosen: Sequence[Example]) -> list[Reject]:
    """What waits for review, and what no quota has room for."""
    ids = {example.id for example in chosen}
    waiting = [one.reject() for one in different if one.problem]
    others = [one for one in different if not one.problem and one.example.id not in ids]
    return waiting + [one.proposal.rejected(NO_ROOM, one.example.difficulty) for one in others]


def _queue(different: Sequence[Judged], chosen: Sequence[Example]) -> list[Pending]:
    """What people are asked: first what is kept out of the set for want of them, then what is in it unseen.

    The latter in the set's random order: whoever judges only the first twenty has judged a sample.
    """
    kept_out = [one.pending(one.detail) for one in different if one.problem]
    judged = {one.example.id: one for one in different}
    return kept_out + [judged[example.id].pending(UNREVIEWED) for example in chosen if example.annotators == 0]


def _queue_sizes(pending: Sequence[Pending]) -> dict[str, int]:
    unseen = sum(one.reason == UNREVIEWED for one in pending)
    return {"kept out of the set until reviewed": len(pending) - unseen, "in the set unreviewed": unseen}


def _proposals(params: EvaluationSetParams, given: Path, stores: Path) -> tuple[list[Proposal], list[Reject]]:
    rows = read_parquet(stores / "test.parquet").to_pylist()
    domain = next((row["domain"] for row in rows if row["domain"] != GENERAL), GENERAL)
    proposals: dict[str, Proposal] = {}
    rejects: list[Reject] = []
    for record in [*read_given(given, domain), *held_out_pairs(rows, params.unreviewed_confidence)]:
        if isinstance(record, Reject):
            rejects.append(record)
        elif record.id in proposals:
            rejects.append(record.rejected("same question and answer", f"as {proposals[record.id].origin}"))
        else:
            proposals[record.id] = record
    return list(proposals.values()), rejects


def _judged(params: EvaluationSetParams, proposals: Iterable[Proposal], labels: Labels, stores: Path) -> list[Judged]:
    train = read_parquet(stores / "train.parquet").select(["text", "type", "domain"])
    vocabulary = Vocabulary.of(train.to_pylist())
    return [judge(proposal, labels.get(proposal.id, {}), vocabulary, params) for proposal in proposals]


def _kinds(
    params: EvaluationSetParams, chosen: Sequence[Example], different: Sequence[Judged]
) -> dict[str, SourceKindReport]:
    wanted = largest_remainder(params.examples, params.kinds.model_dump())
    drawn = Counter(example.source_kind for example in chosen)
    usable = Counter(one.example.source_kind for one in different if not one.problem)
    waiting = Counter(one.example.source_kind for one in different if one.problem)
    return {kind: SourceKindReport(wanted[kind], drawn[kind], usable[kind], waiting[kind]) for kind in SOURCE_KINDS}


def _difficulties(
    params: EvaluationSetParams, chosen: Sequence[Example], usable: Sequence[Judged]
) -> dict[str, DifficultyReport]:
    wanted = largest_remainder(len(chosen), params.difficulties.model_dump())
    drawn = Counter(example.difficulty for example in chosen)
    there = Counter(one.example.difficulty for one in usable)
    return {level: DifficultyReport(wanted[level], drawn[level], there[level]) for level in DIFFICULTIES}


def _notes(
    params: EvaluationSetParams, kinds: Mapping[str, SourceKindReport], difficulties: Mapping[str, DifficultyReport]
) -> list[str]:
    """What is not as params.yaml wants it.

    Raises:
        UserError: if a kind is short and params.on_shortfall is "stop".
    """
    short = [_missing(name, kind) for name, kind in kinds.items() if kind.examples < kind.wanted]
    if short and params.on_shortfall == "stop":
        raise UserError(
            "the evaluation set does not meet its quotas:\n" + "\n".join(f"  - {note}" for note in short),
            why="a model would be judged by other questions than params.yaml asks for",
            fix="add what is missing (inputs/evaluation/README.md), or set on_shortfall to fill or leave",
        )
    more = [f"{k.examples - k.wanted:,} of {name}" for name, k in kinds.items() if k.examples > k.wanted]
    filled = [f"{', '.join(more)} stand in places of the kinds that are short"] if more else []
    total = sum(kind.examples for kind in kinds.values())
    few = [f"{total:,} examples, {params.examples:,} wanted"] if total < params.examples else []
    levels = [
        f"{name} questions: {level.examples:,} of {level.wanted:,}"
        for name, level in difficulties.items()
        if level.examples < level.wanted
    ]
    return short + filled + few + levels


def _empty_accepts(number: int) -> list[str]:
    said = f"{number:,} reviews accept an answer that nobody has proposed and count for nothing; 'edit' gives one"
    return [said] if number else []


def _missing(name: str, kind: SourceKindReport) -> str:
    review = f"{kind.waiting:,} wait for review, " if kind.waiting else ""
    missing = kind.wanted - kind.examples
    return f"{name}: {kind.examples:,} of {kind.wanted:,}; {review}{missing:,} to add to inputs/evaluation/{name}.jsonl"
