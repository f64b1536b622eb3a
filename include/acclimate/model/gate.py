"""Decide whether the candidate may be released: better on the domain, and still itself elsewhere.

    reports/gate.json   {"verdict": "promote", "reasons": ["domain cloze 0.303 → 0.416: …"], "metrics": {…}}

Every rule must hold. That needs no correction for several tests: a candidate that should not be promoted is let
through only if it passes the one rule it breaks (intersection–union test, Berger 1982). Corrected are the claims of
which *any* would do: the gains on `gate.superiority`, by Holm's method; and, on a test set that is used again and
again, the candidates themselves (acclimate.core.submissions). A candidate that is not promoted is a result with
reasons, not an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.core.files import read_json
from acclimate.core.ledger import read_uses
from acclimate.core.submissions import level, submission
from acclimate.model.certainty import CALIBRATION, Certainty, certainty
from acclimate.model.compare import METRICS, Pair, Rows, significant
from acclimate.model.conditions import conditions
from acclimate.model.grounds import Grounds, gather, read_measured, testset_files
from acclimate.model.rules import Bar, Check, any_of, change, changes, gains, keeps, more_items, reasons, verdict
from acclimate.model.score import FACTS
from acclimate.model.statistics import holm

if TYPE_CHECKING:
    from acclimate.core.params import CommonParams, GateParams

COMPARED = {"base": "the base model", "candidate": "the base with the new adapter", "champion": "the adapter in use"}


@dataclass(frozen=True)
class GateReport:
    """The verdict and everything it rests on."""

    verdict: str
    """'promote', 'reject' or 'inconclusive'."""
    sentence: str
    """The verdict in plain words."""
    reasons: list[str]
    """One sentence per rule, broken ones first."""
    rules: list[dict[str, Any]]
    """Every rule: what it is about, against whom, how it came out, its sentence."""
    metrics: dict[str, dict[str, Any]]
    """Per deciding metric: base, candidate, champion, difference, interval (95 %), p_value, n, clusters, …"""
    observed: dict[str, dict[str, Any]]
    """The same of metrics that decide nothing."""
    certainty: Certainty
    more_items: int | None
    """How many more items would decide an inconclusive verdict; None where no number would."""
    compared: dict[str, str]
    """What the columns of a metric are."""
    candidate_sha256: str
    champion: dict[str, str] | None
    summary: str

    def headline(self) -> str:
        """'promote: domain cloze 0.303 → 0.416 (+37 %, p 0.0001), general 0.620 → 0.598 (96 % kept)'."""
        more = f"; about {self.more_items:,} more items would decide" if self.more_items else ""
        return f"{self.verdict}: {self.summary}{more}"


def run(
    params: GateParams,
    common: CommonParams,
    *,
    baseline: Path,
    evaluated: Path,
    evaluation: Path,
    dataset: Path,
    certificate: Path,
    ledger: Path,
    measurements: Path,
) -> GateReport:
    """Apply the rules to the results of baseline and evaluate.

    Args:
        params: the rules.
        common: the seed of the bootstrap.
        baseline: folder with the base's results.
        evaluated: folder with the candidate's, and the champion's if there is one.
        evaluation: folder with the test set, which the ledger knows by its hashes.
        dataset: the training set.
        certificate: what says which training set holds no item of the test set.
        ledger: of the test set; a verdict depends on how many candidates came before, never on what comes after.
        measurements: folder with what was measured of candidates in seconds and bytes.

    Raises:
        UserError: if the models were not scored on the same items, or the ledger was tampered with.
    """
    candidate = read_json(evaluated / FACTS)["candidate_sha256"]
    grounds = gather(
        params,
        common,
        baseline=baseline,
        evaluated=evaluated,
        evaluation=evaluation,
        dataset=dataset,
        certificate=certificate,
        submission=submission(read_uses(ledger), testset_files(evaluation), candidate),
        measured=read_measured(measurements, candidate),
    )
    return decide(grounds)


def decide(grounds: Grounds) -> GateReport:
    """The verdict on these grounds.

    Raises:
        UserError: if the models were not scored on the same items.
    """
    params, number = grounds.params, grounds.submission
    sure = Bar(level(params.alpha, number), params.alpha, params.power)
    base, candidate = grounds.rows["base"], grounds.rows["candidate"]
    pairs = compare_all(base, candidate, resamples=params.resamples, seed=grounds.seed)
    metrics = {name: pair.describe() for name, pair in pairs.items()}
    checks = [changes(base, candidate), *_against_base(pairs, params, sure, metrics)]
    checks += [*_against_champion(grounds, sure, metrics), *conditions(grounds, sure)]
    aside = {name: metrics.pop(name) for name in pairs if "state" not in metrics[name]}
    _correct_observed(aside)
    more = more_items(checks, len(base["domain_cloze"]))
    return GateReport(
        verdict=verdict(checks),
        sentence=_sentence(checks, more, params.power),
        reasons=reasons(checks),
        rules=[
            {"rule": of.rule, "against": of.against, "state": of.state, "sentence": of.sentence, "items": of.items}
            for of in checks
        ],
        metrics=metrics,
        observed=aside,
        certainty=certainty(grounds, pairs, sure.level),
        more_items=more,
        compared=COMPARED,
        candidate_sha256=grounds.candidate_sha256,
        champion=grounds.champion,
        summary=_summary(pairs),
    )


def compare_all(reference: Rows, candidate: Rows, *, resamples: int, seed: int) -> dict[str, Pair]:
    """The comparison on every metric."""
    return {metric: Pair.of(metric, reference, candidate, resamples=resamples, seed=seed) for metric in METRICS}


def _against_base(
    pairs: dict[str, Pair], params: GateParams, sure: Bar, metrics: dict[str, dict[str, Any]]
) -> list[Check]:
    """A gain on the domain, and what must not be lost; enters the numbers of each rule into `metrics`."""
    gained = _gains(pairs, params, params.min_relative_gain, sure, "base")
    kept = _keeps(pairs, params, sure, "base")
    for metric, check in {**gained, **kept}.items():
        metrics[metric] |= check.numbers
    return [any_of(list(gained.values())), *kept.values()]


def _against_champion(grounds: Grounds, sure: Bar, metrics: dict[str, dict[str, Any]]) -> list[Check]:
    """The same against the adapter in use, where any gain will do; enters both comparisons into `metrics`."""
    champion, params = grounds.champion, grounds.params
    if champion is None:
        return []
    pairs = compare_all(
        grounds.rows["champion"], grounds.rows["candidate"], resamples=params.resamples, seed=grounds.seed
    )
    for metric, pair in pairs.items():
        described = pair.describe()
        metrics[metric]["champion"] = described["base"]
        compared = {key: described[key] for key in ("difference", "interval", "p_value")}
        metrics[metric]["against_champion"] = compared
    name = f"champion {champion['version']}"
    if champion["sha256"] == grounds.candidate_sha256:
        sentence = f"the candidate is {name}, byte for byte: releasing it would change nothing"
        return [Check("domain gain", "broken", sentence, against=name)]
    gained, kept = _gains(pairs, params, 0.0, sure, name), _keeps(pairs, params, sure, name)
    for metric, check in {**gained, **kept}.items():
        metrics[metric]["against_champion"] |= check.numbers
    return [any_of(list(gained.values())), *kept.values()]


def _gains(pairs: dict[str, Pair], params: GateParams, min_gain: float, sure: Bar, against: str) -> dict[str, Check]:
    """The gain on every metric of `superiority`: the family that Holm's method corrects.

    One of them is enough, so each more is another chance for luck. Base and champion are not one family: the
    candidate must beat both.
    """
    adjusted = holm([pairs[metric].p_value for metric in params.superiority])
    return {
        metric: gains(pairs[metric], min_gain, sure, p, against=against)
        for metric, p in zip(params.superiority, adjusted, strict=True)
    }


def _keeps(pairs: dict[str, Pair], params: GateParams, sure: Bar, against: str) -> dict[str, Check]:
    """General ability and calibration: all must be kept, which needs no correction."""
    kept = {"general_cloze": keeps(pairs["general_cloze"], params.min_retention, sure, against=against)}
    for metric in CALIBRATION:
        kept[metric] = keeps(pairs[metric], params.min_calibration, sure, rule="calibration", against=against)
    return kept


def _correct_observed(metrics: dict[str, dict[str, Any]]) -> None:
    """Adjust the p-values of metrics that decide nothing, as one family: whoever reads one as a finding may."""
    adjusted = holm([metric["p_value"] for metric in metrics.values()])
    for metric, p in zip(metrics.values(), adjusted, strict=True):
        metric["rule_p"], metric["rule_p_adjusted"] = metric["p_value"], significant(p)


def _sentence(checks: Sequence[Check], more: int | None, power: float) -> str:
    """The verdict in plain words."""
    of = {state: [check for check in checks if check.state == state] for state in ("broken", "open", "holds")}
    if of["broken"]:
        return f"Rejected: {of['broken'][0].sentence}."
    if not of["open"]:
        return f"Promoted: all {len(of['holds'])} rules that apply hold."
    unclear = ", ".join(dict.fromkeys(f"{check.rule}{_whom(check)}" for check in of["open"]))
    return f"Inconclusive: no rule is broken, but not shown to hold are: {unclear}. {_advice(more, power)}"


def _whom(check: Check) -> str:
    return "" if check.against in ("", "base") else f" against {check.against}"


def _advice(more: int | None, power: float) -> str:
    if more is None:
        return "What was measured is too close to a limit for any practical number of items: change the candidate."
    if more == 0:
        return "More test items would not help."
    return (
        f"If what was measured is the truth, about {more:,} more items would decide {power:.0%} of the time; else "
        "change the candidate."
    )


def _summary(pairs: dict[str, Pair]) -> str:
    domain, general = pairs["domain_cloze"], pairs["general_cloze"]
    gain = f"{domain.candidate / domain.reference - 1:+.0%}" if domain.reference else "from nothing"
    kept = "nothing to keep" if general.retention is None else f"{general.retention:.0%} kept"
    scores = f"{general.reference:.3f} → {general.candidate:.3f}"
    return f"{change(domain)} ({gain}, p {significant(domain.p_value):.2g}), general {scores} ({kept})"
