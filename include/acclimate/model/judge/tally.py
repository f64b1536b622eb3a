"""What the jury's votes amount to, and how far they can be trusted.

The win rate is the share of votes for the candidate, ties counting half; its interval resamples questions, because
the votes on one question belong together. Whether it says anything depends on the rest: on how often a juror took the
first place, on how often it kept its verdict when the places were changed, on how far the jurors agree beyond chance.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from acclimate.data.evaluation.agreement import MIN_EXAMPLES, Agreement, agreement_of_counts
from acclimate.model.judge.asking import CANDIDATE, OTHER, TIE, Vote
from acclimate.model.scoring.estimates import Estimate, estimate

if TYPE_CHECKING:
    from acclimate.core.params.chat import JudgeParams

SIDES = (CANDIDATE, TIE, OTHER)
POINTS = {CANDIDATE: 1.0, TIE: 0.5, OTHER: 0.0}


@dataclass(frozen=True)
class JurorReport:
    """One juror's part."""

    model: str
    asked: int
    unparseable: int
    unanswered: int
    retries: int
    first_place: Estimate | None
    """Share of its verdicts, ties aside, for whatever stood first: 0.5 if the place does not matter."""
    kept: Estimate | None
    """Share of its verdicts that stayed the same when the places were changed."""
    prompt_tokens: int
    completion_tokens: int
    cost: float
    """By the prices in params.yaml."""


@dataclass(frozen=True)
class JudgeReport:
    """The candidate's answers against the other's, in the opinion of a jury."""

    questions: int
    repeats: int
    wins: dict[str, Estimate | None]
    """Criterion to the candidate's win rate; None if nobody said anything about it."""
    agreement: dict[str, Agreement]
    """Criterion to how far all votes on a question agree beyond chance."""
    jurors: dict[str, JurorReport]
    cost: float

    def headline(self) -> str:
        """'correctness 0.62 [0.51, 0.72]; 48 questions, 2 jurors; 3 unparseable, 0 unanswered; cost 0.14'."""
        told = [f"{name} {_shown(of)}" for name, of in self.wins.items()]
        lost = [sum(getattr(juror, what) for juror in self.jurors.values()) for what in ("unparseable", "unanswered")]
        counts = f"{self.questions} questions, {len(self.jurors)} jurors; {lost[0]} unparseable, {lost[1]} unanswered"
        return f"candidate's win rate: {', '.join(told)}; {counts}; cost {self.cost:.4g}"

    def table(self) -> str:
        """The headline, then a line per criterion and per juror."""
        lines = [self.headline()]
        for name, of in self.agreement.items():
            alpha = of.note if of.alpha is None else f"{of.alpha:.2f} [{of.low:.2f}, {of.high:.2f}]"
            lines.append(f"  {name:<16} agreement (Krippendorff's alpha) {alpha}")
        for name, juror in self.jurors.items():
            places = f"first place {_shown(juror.first_place)}, kept when turned round {_shown(juror.kept)}"
            tokens = f"{juror.prompt_tokens:,} + {juror.completion_tokens:,} tokens, cost {juror.cost:.4g}"
            lines.append(f"  {name:<16} {juror.asked} asked, {juror.unparseable} unparseable; {places}; {tokens}")
        return "\n".join(lines)


def tally(params: JudgeParams, votes: Sequence[Vote], *, seed: int) -> JudgeReport:
    """Count `votes`, at least one.

    Args:
        params: the rubric, and what tokens cost.
        votes: of every juror.
        seed: of the bootstrap intervals.
    """
    criteria = [criterion.name for criterion in params.rubric]
    jurors = {juror.name: _juror(params, juror.name, votes, seed) for juror in params.jury}
    return JudgeReport(
        questions=len({vote.id for vote in votes}),
        repeats=params.repeats,
        wins={name: _wins(name, votes, seed) for name in criteria},
        agreement={name: _agreement(name, votes, seed) for name in criteria},
        jurors=jurors,
        cost=round(sum(juror.cost for juror in jurors.values()), 6),
    )


def _wins(criterion: str, votes: Sequence[Vote], seed: int) -> Estimate | None:
    return _mean([(POINTS[vote.verdicts[criterion]], vote.id) for vote in votes if vote.verdicts], seed)


def _agreement(criterion: str, votes: Sequence[Vote], seed: int) -> Agreement:
    """Over the votes on each question, those of one juror among themselves included."""
    by_question: dict[str, list[str]] = {}
    for vote in votes:
        if vote.verdicts:
            by_question.setdefault(vote.id, []).append(vote.verdicts[criterion])
    shared = [said for said in by_question.values() if len(said) > 1]
    jurors = len({vote.juror for vote in votes if vote.verdicts})
    if len(shared) < MIN_EXAMPLES:
        note = f"{len(shared)} questions have two votes or more; {MIN_EXAMPLES} are needed"
        return Agreement(len(shared), jurors, None, None, None, note)
    return agreement_of_counts([[said.count(side) for side in SIDES] for said in shared], jurors, "ordinal", seed)


def _juror(params: JudgeParams, name: str, votes: Sequence[Vote], seed: int) -> JurorReport:
    (juror,) = (juror for juror in params.jury if juror.name == name)
    own = [vote for vote in votes if vote.juror == name]
    states = Counter(vote.state for vote in own)
    read, written = sum(vote.prompt_tokens for vote in own), sum(vote.completion_tokens for vote in own)
    return JurorReport(
        model=juror.model,
        asked=len(own),
        unparseable=states["unparseable"],
        unanswered=states["unanswered"],
        retries=sum(vote.retries for vote in own),
        first_place=_mean(_first_places(own), seed),
        kept=_mean(_kept(own), seed),
        prompt_tokens=read,
        completion_tokens=written,
        cost=round((read * juror.prompt_price + written * juror.completion_price) / 1e6, 6),
    )


def _first_places(votes: Sequence[Vote]) -> list[tuple[bool, str]]:
    """Of each verdict that is no tie, whether it was for the first place, and the question."""
    return [(side == vote.first, vote.id) for vote in votes for side in (vote.verdicts or {}).values() if side != TIE]


def _kept(votes: Sequence[Vote]) -> list[tuple[bool, str]]:
    """Of each two verdicts on one question with the places changed, whether they are the same."""
    ordered = {(vote.id, vote.repeat): vote.verdicts for vote in votes if vote.verdicts}
    return [
        (side == turned[criterion], question)
        for (question, repeat), verdicts in ordered.items()
        if repeat % 2 == 0 and (turned := ordered.get((question, repeat + 1)))
        for criterion, side in verdicts.items()
    ]


def _mean(found: Sequence[tuple[float, str]], seed: int) -> Estimate | None:
    """The mean over questions of what was found of each: votes on one question are no independent evidence."""
    by_question: dict[str, list[float]] = {}
    for value, question in found:
        by_question.setdefault(question, []).append(float(value))
    means = [sum(values) / len(values) for values in by_question.values()]
    return estimate(means, list(by_question), seed=seed) if means else None


def _shown(of: Estimate | None) -> str:
    return "unknown" if of is None else f"{of.value:.2f} [{of.low:.2f}, {of.high:.2f}]"
