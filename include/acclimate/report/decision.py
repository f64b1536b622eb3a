"""The two decisions: whether the candidate may be released, and whether its quantised form still is it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from acclimate.core.ledger import Use
from acclimate.release.forms.table import Form
from acclimate.release.quantize import QuantizeReport
from acclimate.report import certainty, formats
from acclimate.report.blocks import (
    Block,
    Cell,
    Column,
    Facts,
    Figure,
    Mark,
    Missing,
    Note,
    Points,
    Section,
    Table,
    Tone,
)
from acclimate.report.certainty import Certainty
from acclimate.report.drawing import Picture
from acclimate.report.forms import forms
from acclimate.report.material import Material
from acclimate.report.plots import Estimate, differences


@dataclass(frozen=True)
class Comparison:
    """The candidate against one other model on one metric, and the rule applied to it, if any."""

    difference: float
    interval: tuple[float, float]
    p_value: float | None
    threshold: float | None = None
    passed: bool | None = None
    relative_gain: float | None = None
    """Candidate over reference minus one, where a gain is asked for."""
    retention: float | None = None
    """Candidate's quality over the reference's, where keeping is asked for."""
    bound: float | None = None
    """What relative gain, or retention, is at least, at the rule's level."""
    rule_p: float | None = None
    """Of the rule's own test: that there is a gain, or that enough is kept."""
    rule_p_adjusted: float | None = None
    """The same, corrected for the metrics of which one would do."""
    state: str | None = None

    def asked(self) -> str | None:
        """The rule in a few signs; None where nothing is asked."""
        if self.threshold is None:
            return None
        if self.retention is not None:
            return f"kept ≥ {formats.percent(self.threshold, 0)}"
        return f"gain ≥ {formats.percent(self.threshold, 0)}" if self.threshold else "gain > 0"

    def reached(self) -> str | None:
        """What the rule is held against, with its lower bound."""
        share = self.retention if self.relative_gain is None else self.relative_gain
        if share is None or self.bound is None:
            return None
        return f"{formats.percent(share)} (at least {formats.percent(self.bound)})"


@dataclass(frozen=True)
class Metric(Comparison):
    """One metric of a verdict, with the values themselves."""

    base: float = field(kw_only=True)
    candidate: float = field(kw_only=True)
    champion: float | None = field(kw_only=True)
    n: int = field(kw_only=True)
    clusters: int = field(kw_only=True)
    against_champion: Comparison | None = None


@dataclass(frozen=True)
class Rule:
    """One rule of the gate and how it came out."""

    rule: str
    against: str
    state: str
    sentence: str
    items: int | None = None


@dataclass(frozen=True)
class Decision:
    """Of reports/gate.json and reports/evaluate_quantized.json: what a page shows, its metrics typed."""

    verdict: str
    reasons: list[str]
    metrics: dict[str, Metric]
    compared: dict[str, str]
    """What base, candidate and champion are here."""
    observed: dict[str, Metric] = field(default_factory=dict)
    """Metrics that decide nothing; the quantised model's report has none such, and none of what follows."""
    sentence: str = ""
    rules: list[Rule] = field(default_factory=list)
    certainty: Certainty | None = None
    forms: list[Form] = field(default_factory=list)
    """Of the quantised model's report alone."""


def verdict_mark(verdict: str) -> Mark:
    """The verdict as a pill."""
    tones: dict[str, Tone] = {"promote": "good", "reject": "bad", "inconclusive": "warning"}
    return Mark(verdict, tones[verdict])


def gate(material: Material) -> Section:
    """The gate's verdict with its reasons, the differences as a picture, and the numbers."""
    report = material.report("gate", Decision)
    blocks: list[Block]
    if isinstance(report, Missing):
        blocks = [report]
    else:
        blocks = _decision(report, "gate", ("base", "candidate"))
        blocks += certainty.blocks(report.certainty) if report.certainty else []
    blocks += [_uses(uses)] if (uses := material.uses()) else []
    return Section(
        "gate",
        "Gate",
        "May the candidate be released? It must beat the base on the domain by enough and not by chance, keep what "
        "the base can do in general and how sure it is of it, and beat the champion. A rule that is neither shown to "
        "hold nor shown to be broken leaves the verdict inconclusive.",
        tuple(blocks),
    )


def _uses(uses: list[Use]) -> Note:
    """How often the test set was looked at: the more often, the less a single pass says."""
    models = {sha for use in uses for sha in use.models.values()}
    return Note(
        f"The locked test set was used {formats.count(len(uses))} times, on {formats.count(len(models))} models, from "
        f"{uses[0].when[:10]} to {uses[-1].when[:10]}. Each use is in the ledger (acclimate testset ledger)."
    )


def quantisation(material: Material) -> Section:
    """What 4 bits cost, in size and in score."""
    quantized = material.report("quantize", QuantizeReport)
    report = material.report("evaluate_quantized", Decision)
    blocks: list[Block] = [quantized if isinstance(quantized, Missing) else _sizes(quantized)]
    if isinstance(report, Missing):
        blocks.append(report)
    else:
        blocks += [
            *_decision(report, "quantisation", ("candidate", "quantised")),
            *forms(report.forms, material.speeds),
        ]
    return Section(
        "quantisation",
        "Quantisation",
        "The model that is served has its weights rounded to few bits. It is scored again and has a gate of its own.",
        tuple(blocks),
    )


def _decision(report: Decision, name: str, columns: tuple[str, str]) -> list[Block]:
    """Verdict, reasons, figures and tables; `columns` are the headings of reference and judged model."""
    keys = ("base", "candidate", "champion")
    compared = zip((*columns, "champion"), (report.compared[key] for key in keys), strict=True)
    meant = "; ".join(f"{column} is {what}" for column, what in compared if what != "nothing")
    blocks: list[Block] = [Facts((("verdict", verdict_mark(report.verdict)),))]
    blocks += [Note(report.sentence)] if report.sentence else []
    blocks.append(
        _rules(report.rules) if report.rules else Points("Reasons, broken rules first", tuple(report.reasons))
    )
    blocks += [_figure(some, name, unit) for unit, some in _by_unit(report.metrics).items()]
    blocks.append(_table("What the verdict rests on", report.metrics, columns))
    if report.observed:
        blocks.append(_table("Measured as well, deciding nothing", report.observed, columns))
    note = (
        f"In the tables {meant}. Intervals (cluster bootstrap) and p take documents that resemble each other as one: p "
        "of a gain by flipping signs of whole clusters, which for clusters of one item is the exact McNemar test; p of "
        "keeping by a t-test over clusters, with bounds after Fieller. Adjusted p: Holm's, over the metrics of one "
        "table of which any would do; rules that must all hold need no correction."
    )
    return [*blocks, Note(note)]


STATES: dict[str, Tone] = {"holds": "good", "broken": "bad", "open": "warning"}


def _rules(rules: Sequence[Rule]) -> Table:
    """Every rule with how it came out, broken ones first."""
    order = ("broken", "open", "holds", "not measured", "not asked")
    rows = tuple(
        (of.rule, of.against or None, Mark(of.state, STATES.get(of.state, "neutral")), of.sentence)
        for state in order
        for of in rules
        if of.state == state
    )
    return Table("The rules", (Column("rule"), Column("against"), Column("state"), Column("what was found")), rows)


UNITS = {
    "points": "difference in the share answered right (right of zero is better)",
    "brier": "difference in Brier score (left of zero is better)",
    "bits-per-byte": "difference in bits per byte (left of zero is better)",
}
"""Part of a figure's name to its axis."""


def _unit(metric: str) -> str:
    return "bits-per-byte" if "bits_per_byte" in metric else "brier" if "brier" in metric else "points"


def _by_unit(metrics: Mapping[str, Metric]) -> dict[str, dict[str, Comparison]]:
    """Every comparison under the unit it is measured in: what shares no unit shares no axis."""
    units: dict[str, dict[str, Comparison]] = {}
    for name, metric in metrics.items():
        rows = units.setdefault(_unit(name), {})
        rows[formats.words(name)] = metric
        if metric.against_champion is not None:
            rows[f"{formats.words(name)}, against champion"] = metric.against_champion
    return units


def _figure(comparisons: Mapping[str, Comparison], name: str, unit: str) -> Figure:
    rows = {row: Estimate(of.difference, *of.interval) for row, of in comparisons.items()}
    listed = "; ".join(
        f"{row} {formats.signed(of.value)} ({formats.interval(of.low, of.high, sign=True)})" for row, of in rows.items()
    )
    picture = Picture(f"{name}-{unit}-plot", "What changed", f"Differences with 95 % intervals: {listed}.")
    caption = (
        "Differences, candidate less reference, with 95 % intervals. One that crosses the line at zero may be chance."
    )
    return Figure(differences(picture, rows, UNITS[unit]), caption)


def _table(caption: str, metrics: Mapping[str, Metric], columns: tuple[str, str]) -> Table:
    """One row per metric, and below it its comparison with the champion where there is one."""
    champion = any(of.champion is not None for of in metrics.values())
    ruled = any(of.threshold is not None for of in metrics.values())
    rows: list[tuple[Cell, ...]] = []
    for name, of in metrics.items():
        values = [of.base, of.candidate, *([of.champion] if champion else [])]
        shown = [None if value is None else formats.decimal(value) for value in values]
        rows.append((formats.words(name), *shown, *_difference(of), formats.count(of.n), *_rule(of, ruled)))
        if of.against_champion is not None:
            rest = (*_difference(of.against_champion), "", *_rule(of.against_champion, ruled))
            rows.append(("… against champion", *("" for _ in values), *rest))
    titles = (*columns, *(["champion"] if champion else []), "difference", "95 % interval", "p", "adjusted p", "n")
    numbers = tuple(Column(title, "number") for title in titles)
    rule = (Column("threshold", "number"), Column("reached", "number"), Column("state")) if ruled else ()
    return Table(caption, (Column("metric"), *numbers, *rule), tuple(rows))


def _difference(of: Comparison) -> tuple[Cell, ...]:
    raw = of.p_value if of.rule_p is None else of.rule_p
    p, adjusted = (None if value is None else formats.probability(value) for value in (raw, of.rule_p_adjusted))
    return (formats.signed(of.difference), formats.interval(*of.interval, sign=True), p, adjusted)


def _rule(of: Comparison, ruled: bool) -> tuple[Cell, ...]:
    state = None if of.state is None else Mark(of.state, STATES.get(of.state, "neutral"))
    return (of.asked(), of.reached(), state) if ruled else ()


def _sizes(report: QuantizeReport) -> Facts:
    worst = max(report.layers, key=lambda layer: layer.worst)
    return Facts(
        (
            ("method", f"GPTQ, {report.bits} bits, {report.group_size} weights share a scale"),
            ("calibrated on", f"{formats.count(report.calibration_texts)} texts of the training set"),
            ("size", f"{formats.size(report.merged_bytes)} → {formats.size(report.quantized_bytes)}"),
            ("largest error", f"{worst.worst:.1e} in layer {worst.layer}, {worst.worst_module}"),
        )
    )
