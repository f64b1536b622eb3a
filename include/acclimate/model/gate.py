"""Decide whether the candidate may be released: better on the domain, and still itself elsewhere.

    reports/gate.json   {"verdict": "promote", "reasons": ["domain cloze 0.303 → 0.416: …"], "metrics": {…}}

Every rule must hold. That needs no correction for several tests: a candidate that should fail is let
through only if it passes the one rule it breaks (intersection–union test, Berger 1982). A failed gate
is a result with reasons, not an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.core.files import read_json
from acclimate.model.compare import METRICS, Pair, Rows, read_rows, significant
from acclimate.model.evaluate import FACTS
from acclimate.model.score import TEXT_TASKS

if TYPE_CHECKING:
    from acclimate.core.params import CommonParams, GateParams

COMPARED = {"base": "the base model", "candidate": "the base with the new adapter", "champion": "the adapter in use"}


@dataclass(frozen=True)
class Check:
    """One rule applied: whether it holds, a sentence with the numbers and the threshold, and the numbers."""

    passed: bool
    sentence: str
    numbers: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class GateReport:
    """The verdict and everything it rests on."""

    verdict: str
    """'promote' or 'reject'."""
    reasons: list[str]
    """One sentence per rule, broken ones first."""
    metrics: dict[str, dict[str, Any]]
    """Per deciding metric: base, candidate, champion, difference, interval (95 %), p_value, n, clusters, …"""
    observed: dict[str, dict[str, Any]]
    """The same of metrics that decide nothing."""
    compared: dict[str, str]
    """What the columns of a metric are."""
    candidate_sha256: str
    champion: dict[str, str] | None
    summary: str

    def headline(self) -> str:
        """'promote: domain cloze 0.303 → 0.416 (+37 %, p 0.0001), general 0.620 → 0.598 (96 % kept)'."""
        return f"{self.verdict}: {self.summary}"


def run(params: GateParams, common: CommonParams, *, baseline: Path, evaluated: Path) -> GateReport:
    """Apply the rules to the results of baseline and evaluate.

    Raises:
        UserError: if the models were not scored on the same items.
    """
    base, candidate = read_rows(baseline), read_rows(evaluated / "candidate")
    facts = read_json(evaluated / FACTS)
    pairs = compare_all(base, candidate, params, common)
    metrics = {METRICS[task]: pair.describe() for task, pair in pairs.items()}
    gained = gains(pairs["domain_cloze"], params)
    kept = keeps(pairs["general_cloze"], params.min_retention, params.alpha)
    metrics["domain_cloze"] |= gained.numbers
    metrics["general_cloze"] |= kept.numbers
    checks = [_changed(base, candidate), gained, kept]
    if facts["champion"] is not None:
        against = compare_all(read_rows(evaluated / "champion"), candidate, params, common)
        checks += _against_champion(against, facts, params, metrics)
    observed = {METRICS[task]: metrics.pop(METRICS[task]) for task in TEXT_TASKS}
    return GateReport(
        verdict=verdict(checks),
        reasons=reasons(checks),
        metrics=metrics,
        observed=observed,
        compared=COMPARED,
        candidate_sha256=facts["candidate_sha256"],
        champion=facts["champion"],
        summary=_summary(pairs),
    )


def verdict(checks: Sequence[Check]) -> str:
    """'promote' if every rule holds, else 'reject'."""
    return "promote" if all(check.passed for check in checks) else "reject"


def reasons(checks: Sequence[Check]) -> list[str]:
    """The sentences, broken rules first."""
    return [check.sentence for check in sorted(checks, key=lambda check: check.passed)]


def compare_all(reference: Rows, candidate: Rows, params: GateParams, common: CommonParams) -> dict[str, Pair]:
    """The comparison of every task."""
    return {task: Pair.of(task, reference, candidate, resamples=params.resamples, seed=common.seed) for task in METRICS}


def gains(pair: Pair, params: GateParams) -> Check:
    """The candidate's score is above the base's by the asked share, and not by luck."""
    gain = pair.candidate / pair.reference - 1 if pair.reference else None
    large = pair.candidate >= (1 + params.min_relative_gain) * pair.reference
    passed = large and pair.p_value < params.alpha
    sentence = (
        f"{_change(pair)}, {'from nothing' if gain is None else f'{gain:+.1%}'} "
        f"({params.min_relative_gain:+.0%} or more asked), p {significant(pair.p_value):.2g} "
        f"(below {params.alpha:g} asked; {pair.n} items in {len(pair.totals)} clusters)"
    )
    rounded = None if gain is None else round(gain, 6)
    return Check(passed, sentence, {"relative_gain": rounded, "threshold": params.min_relative_gain, "passed": passed})


def keeps(pair: Pair, share: float, alpha: float, *, bound_decides: bool = True) -> Check:
    """The candidate has at least `share` of the reference's quality.

    Args:
        pair: the two compared.
        share: asked for, by point estimate.
        alpha: of the one-sided bound that must hold too, so that a small sample cannot pass by luck.
        bound_decides: False where the sample could not show it even of a model that lost nothing.
    """
    bound, kept = pair.excess_bound(share, alpha), pair.retention
    passed = pair.keeps(share) and (bound > 0 or not bound_decides)
    rule = "more than 0 asked" if bound_decides else "not asked: too few items to show it of any model"
    sentence = (
        f"{_change(pair)}, {'nothing to keep' if kept is None else f'{kept:.1%} kept'} ({share:.0%} or more asked); "
        f"with {1 - alpha:.0%} confidence at least {bound:+.4f} beyond that threshold ({rule})"
    )
    rounded = None if kept is None else round(kept, 6)
    numbers = {"retention": rounded, "threshold": share, "excess_bound": round(bound, 6), "passed": passed}
    return Check(passed, sentence, numbers)


def _changed(base: Rows, candidate: Rows) -> Check:
    """An adapter that was never trained answers every item exactly as the base does."""
    items = sum(len(rows) for rows in base.values())
    same = sum(a == b for task, rows in base.items() for a, b in zip(rows, candidate[task], strict=True))
    if same == items:
        return Check(False, f"the adapter changes nothing: on all {items} items the candidate is the base")
    return Check(True, f"the adapter changes something: {items - same} of {items} items score differently")


def _against_champion(
    pairs: dict[str, Pair], facts: dict[str, Any], params: GateParams, metrics: dict[str, dict[str, Any]]
) -> list[Check]:
    """Better than the champion on the domain, not inferior elsewhere; enters both comparisons into `metrics`."""
    version = facts["champion"]["version"]
    for task, pair in pairs.items():
        described = pair.describe()
        metrics[METRICS[task]]["champion"] = described["base"]
        compared = {key: described[key] for key in ("difference", "interval", "p_value")}
        metrics[METRICS[task]]["against_champion"] = compared
    if facts["champion"]["sha256"] == facts["candidate_sha256"]:
        return [Check(False, f"the candidate is champion {version}, byte for byte: releasing it would change nothing")]
    better = _better(pairs["domain_cloze"], params.alpha)
    kept = keeps(pairs["general_cloze"], params.min_retention, params.alpha)
    metrics["domain_cloze"]["against_champion"] |= better.numbers
    metrics["general_cloze"]["against_champion"] |= kept.numbers
    return [Check(check.passed, f"against champion {version}, {check.sentence}") for check in (better, kept)]


def _better(pair: Pair, alpha: float) -> Check:
    passed = pair.candidate > pair.reference and pair.p_value < alpha
    sentence = f"{_change(pair)}, p {significant(pair.p_value):.2g} (better with p below {alpha:g} asked)"
    return Check(passed, sentence, {"threshold": alpha, "passed": passed})


def _summary(pairs: dict[str, Pair]) -> str:
    domain, general = pairs["domain_cloze"], pairs["general_cloze"]
    gain = f"{domain.candidate / domain.reference - 1:+.0%}" if domain.reference else "from nothing"
    kept = "nothing to keep" if general.retention is None else f"{general.retention:.0%} kept"
    change = f"{general.reference:.3f} → {general.candidate:.3f}"
    return f"{_change(domain)} ({gain}, p {significant(domain.p_value):.2g}), general {change} ({kept})"


def _change(pair: Pair) -> str:
    """'domain cloze 0.303 → 0.416'."""
    return f"{METRICS[pair.task].replace('_', ' ')} {pair.reference:.3f} → {pair.candidate:.3f}"
