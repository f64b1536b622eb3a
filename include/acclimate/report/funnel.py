"""What became of the records: in, out and rejected per stage, with every reason and a few examples."""

from __future__ import annotations

from dataclasses import dataclass, fields

from acclimate.core.reports import Funnel
from acclimate.data.clean import CleanReport
from acclimate.data.decontaminate import DecontaminateReport
from acclimate.data.dedup import DedupReport
from acclimate.data.ingest import IngestReport
from acclimate.data.mix import MixReport
from acclimate.data.split import SplitReport
from acclimate.data.validate import ValidateReport
from acclimate.report import formats
from acclimate.report.accepted import comparison_blocks
from acclimate.report.blocks import Block, Cell, Column, Figure, Folded, Link, Missing, Section, Table
from acclimate.report.drawing import BLUE, ORANGE, Picture
from acclimate.report.material import Material
from acclimate.report.plots import stacked_bars

DATA_DOCS = "../artifacts/validate/data_docs/index.html"
"""From reports/run.html, on disk as in the Airflow tab."""
EXAMPLES = 3
"""Rejected records shown per reason."""


@dataclass(frozen=True)
class DataReports:
    """The reports of the data stages, each there or not."""

    ingest: IngestReport | Missing
    validate: ValidateReport | Missing
    clean: CleanReport | Missing
    split: SplitReport | Missing
    dedup: DedupReport | Missing
    decontaminate: DecontaminateReport | Missing
    mix: MixReport | Missing

    @classmethod
    def of(cls, material: Material) -> DataReports:
        """What `material` has of them."""
        return cls(
            material.report("ingest", IngestReport),
            material.report("validate", ValidateReport),
            material.report("clean", CleanReport),
            material.report("split", SplitReport),
            material.report("dedup", DedupReport),
            material.report("decontaminate", DecontaminateReport),
            material.report("mix", MixReport),
        )

    def funnels(self) -> dict[str, Funnel | Missing]:
        """Stage to its funnel, or why there is none, in pipeline order.

        The mix rejects nothing: what it leaves out is what the wanted size and shares have no room for.
        """
        funnels: dict[str, Funnel | Missing] = {}
        for field in fields(self):
            report = getattr(self, field.name)
            if isinstance(report, MixReport):
                available = sum(kind.available_records for kind in report.kinds.values())
                left = {"no room in the wanted size and shares": available - report.records}
                funnels[field.name] = Funnel(available, report.records, left)
            else:
                funnels[field.name] = report if isinstance(report, Missing) else report.funnel
        return funnels


def funnel(material: Material) -> Section:
    """Sources, bars, a table of stages and reasons, and examples folded away."""
    reports = DataReports.of(material)
    run = {name: step for name, step in reports.funnels().items() if isinstance(step, Funnel)}
    blocks: list[Block] = [_sources(reports.ingest)] if isinstance(reports.ingest, IngestReport) else []
    blocks += [_figure(run)] if run else []
    blocks.append(_table(reports))
    examples = _examples(material, list(run))
    if examples.rows:
        blocks.append(Folded(f"Examples of rejected records, up to {EXAMPLES} per reason", examples))
    if isinstance(reports.clean, CleanReport):
        blocks.append(Folded("Quality of the texts", _quality(reports.clean)))
    if isinstance(reports.validate, ValidateReport):
        blocks.append(Folded("Expectations the records were checked against", _expectations(reports.validate)))
        blocks += comparison_blocks(reports.validate)
        blocks.append(Link(DATA_DOCS, "Data Docs: Great Expectations' own pages of what every suite found"))
    return Section(
        "records",
        "Records",
        "From every source to the training set: what each stage took in, passed on and rejected. "
        "No record disappears without a reason.",
        tuple(blocks),
    )


def _sources(report: IngestReport) -> Table:
    rows = [
        (
            source.name,
            formats.words(source.domain),
            formats.count(source.documents),
            formats.count(source.pairs),
            formats.size(source.bytes),
            formats.count(source.rejected),
            report.changes[source.name].sentence(),
            ", ".join(f"{package} {version}" for package, version in source.versions.items())
            or f"{formats.count(source.files)} files",
        )
        for source in report.sources
    ]
    numbers = ("documents", "question–answer pairs", "text", "rejected")
    words = (Column("since the accepted corpus"), Column("read from"))
    columns = (Column("source"), Column("domain"), *(Column(title, "number") for title in numbers), *words)
    return Table("Sources", columns, tuple(rows))


def _figure(steps: dict[str, Funnel]) -> Figure:
    first, last = next(iter(steps)), list(steps)[-1]
    finding = (
        f"{formats.count(steps[first].records_in)} records went into {first}, "
        f"{formats.count(steps[last].records_out)} came out of {last}."
    )
    out = [float(step.records_out) for step in steps.values()]
    rejected = [float(step.records_in - step.records_out) for step in steps.values()]
    labels = [f"{formats.count(step.records_in)} → {formats.count(step.records_out)}" for step in steps.values()]
    parts = {"passed on": (BLUE, "", out), "rejected": (ORANGE, "///", rejected)}
    picture = Picture("records-plot", "Records per stage", finding)
    return Figure(stacked_bars(picture, list(steps), parts, labels, "records"), finding)


def _table(reports: DataReports) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for name, step in reports.funnels().items():
        rows += [(name, None, None, step.text, None, None)] if isinstance(step, Missing) else _rows(name, step)
        if name == "dedup" and isinstance(reports.dedup, DedupReport):
            rows += _of_dedup(reports.dedup)
    columns = (
        Column("stage"),
        Column("in", "number"),
        Column("out", "number"),
        Column("rejected because"),
        Column("records", "number"),
        Column("share of in", "number"),
    )
    return Table("Records in, out and rejected, with the reason", columns, tuple(rows))


def _rows(name: str, step: Funnel) -> list[tuple[Cell, ...]]:
    """One row per reason; the stage's own numbers stand in the first."""
    rejected: list[tuple[Cell, ...]] = [
        (reason, formats.count(number), formats.percent(number / step.records_in))
        for reason, number in step.rejected.items()
    ]
    first, *others = rejected or [("nothing rejected", None, None)]
    own = (name, formats.count(step.records_in), formats.count(step.records_out))
    return [(*own, *first), *(("", "", "", *other) for other in others)]


def _of_dedup(report: DedupReport) -> list[tuple[Cell, ...]]:
    """How direct the copies are, and what later stages do not see because it is not for training."""
    indirect = f"among these, less similar to the one that stays than the threshold (engine: {report.engine})"
    held_out = [
        ("", "", "", f"not rejected: held out as {store} store", formats.count(of_store.records_out), None)
        for store, of_store in report.stores.items()
        if store != "train"
    ]
    return [("", "", "", indirect, formats.count(report.less_similar), None), *held_out]


def _quality(report: CleanReport) -> Table:
    """Texts by score, then by the rule they fail; a text may fail several and stay."""
    rows = [("quality score", score, formats.count(number)) for score, number in report.quality.items() if number]
    rows += [
        ("fails the rule", formats.words(rule), formats.count(number)) for rule, number in report.failed_rules.items()
    ]
    rows += [
        (f"rejected of {source}", reason, formats.count(number))
        for source, reasons in report.rejected_of.items()
        for reason, number in reasons.items()
    ]
    rows += [("redacted spans", formats.words(kind), formats.count(number)) for kind, number in report.redacted.items()]
    rows += [("boilerplate lines", kind, formats.count(number)) for kind, number in report.boilerplate.items()]
    rows += [("language", code, formats.count(number)) for code, number in report.languages.items()]
    columns = (Column("what"), Column("which"), Column("number", "number"))
    return Table(f"{formats.count(report.changed)} texts were changed by cleaning", columns, tuple(rows))


def _expectations(report: ValidateReport) -> Table:
    rows = [
        (of.suite, of.expectation, of.rule, formats.count(of.evaluated), formats.count(of.failed))
        for of in report.expectations
    ]
    columns = (Column("suite"), Column("expectation", "code"), Column("rule", "code"))
    numbers = (Column("evaluated", "number"), Column("failed", "number"))
    return Table("Expectations", (*columns, *numbers), tuple(rows))


def _examples(material: Material, stages: list[str]) -> Table:
    rows = [
        (stage, row["reason"], f"{row['source']} {row['origin']}", row["detail"], row["excerpt"])
        for stage in stages
        for examples in material.rejects(stage, EXAMPLES).values()
        for row in examples
    ]
    columns = (
        Column("stage"),
        Column("reason"),
        Column("source and origin", "code"),
        Column("detail", "code"),
        Column("begins", "code"),
    )
    return Table("The first rejected records of each reason", columns, tuple(rows))
