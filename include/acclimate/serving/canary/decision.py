"""What the evidence of a step says: go on, take more traffic, or go back to the champion.

    decision = decide(tallies, share=0.05, rules=rules)
    decision.verdict          # 'roll_back'
    decision.reason           # 'errors: 31.8 % of 22 answers of the challenger against 0.7 % of 418, e-value 1,290 …'

Both directions use the same bounds. Rolling back wrongly has a chance of at most `alpha` over all metrics and all steps
together: each test is at alpha/(metrics × steps) (Bonferroni; Dunn 1961), however the metrics depend on each other.
Going on wrongly has a chance of at most `alpha` too: every metric must be shown to be safe, so none needs a correction
(intersection–union test, Berger 1982).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict

from acclimate.serving.canary.betting import Tally, at_most, harm, safety

METRICS = ("errors", "slow", "complaints")

Verdict = Literal["go_on", "advance", "roll_back"]


class Rules(BaseModel):
    """When a canary goes on and when it is over: of the section `canary` of params.yaml what the service needs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    shares: tuple[float, ...]
    """Of users, one per step and rising; after the last step everybody is answered by the challenger."""
    alpha: float
    bounds: dict[str, float]
    """How much larger than the champion's the challenger's share of such answers may be, by metric."""
    slow_quantile: float
    baseline_requests: int
    min_requests: int
    answers_per_user: int

    @property
    def harm_e_value(self) -> float:
        """The e-value from which on a metric ends the canary."""
        return len(METRICS) * len(self.shares) / self.alpha


class Evidence(BaseModel):
    """What is known of one metric in one step."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    metric: str
    challenger: int
    challenger_bad: int
    champion: int
    champion_bad: int
    bound: float
    harm: float
    """Natural logarithm of the e-value for being worse by more than the bound."""
    safety: float
    """The same for being worse by less."""
    at_most: float
    """Upper end of the confidence sequence for the difference of the shares."""

    def sentence(self) -> str:
        """'errors: 31.8 % of 22 answers of the challenger against 0.7 % of 418 of the champion'."""
        challenger, champion = (
            f"{bad / n if n else 0:.1%} of {n:,}"
            for bad, n in ((self.challenger_bad, self.challenger), (self.champion_bad, self.champion))
        )
        return f"{self.metric}: {challenger} answers of the challenger against {champion} of the champion"


class Decision(BaseModel):
    """A verdict with its grounds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    verdict: Verdict
    reason: str
    evidence: tuple[Evidence, ...]


def verdict_of(tallies: Mapping[str, Tally], *, share: float, rules: Rules) -> tuple[Verdict, str]:
    """The verdict, and the metric that ended the canary or ''; taken after every request, so it computes no more."""
    for metric in METRICS:
        if float(harm(tallies[metric], share=share, bound=rules.bounds[metric])) >= math.log(rules.harm_e_value):
            return "roll_back", metric
    enough = all(int(tallies[metric].challenger) >= rules.min_requests for metric in METRICS)
    if enough and all(
        float(safety(tallies[metric], share=share, bound=rules.bounds[metric])) >= math.log(1 / rules.alpha)
        for metric in METRICS
    ):
        return "advance", ""
    return "go_on", ""


def decide(tallies: Mapping[str, Tally], *, share: float, rules: Rules) -> Decision:
    """The verdict with its evidence, for the record and for people."""
    evidence = tuple(_evidence(metric, tallies[metric], share, rules) for metric in METRICS)
    verdict, culprit = verdict_of(tallies, share=share, rules=rules)
    return Decision(verdict=verdict, reason=_reason(verdict, culprit, evidence, rules), evidence=evidence)


def _evidence(metric: str, tally: Tally, share: float, rules: Rules) -> Evidence:
    bound = rules.bounds[metric]
    return Evidence(
        metric=metric,
        **tally._asdict(),
        bound=bound,
        harm=round(float(harm(tally, share=share, bound=bound)), 4),
        safety=round(float(safety(tally, share=share, bound=bound)), 4),
        at_most=at_most(tally, share=share, alpha=rules.alpha),
    )


def _reason(verdict: Verdict, culprit: str, evidence: tuple[Evidence, ...], rules: Rules) -> str:
    if verdict == "roll_back":
        (of,) = (of for of in evidence if of.metric == culprit)
        e_value = math.exp(min(of.harm, 700))  # beyond, a float has no number for it
        needed = f"e-value {e_value:,.0f}, {rules.harm_e_value:,.0f} is enough"
        return f"{of.sentence()}; worse by more than {of.bound:.1%}: {needed}"
    known = ", ".join(f"{of.metric} {of.at_most:+.1%}" for of in evidence)
    if verdict == "advance":
        return f"at most worse by: {known} ({1 - rules.alpha:.0%} sure at every moment)"
    return f"not decided; at most worse by: {known}"
