"""What of the evaluation items stood in training texts, and the texts side by side with them."""

from __future__ import annotations

from acclimate.data.contamination.meaning import RephrasedReport
from acclimate.data.decontaminate import DecontaminateReport
from acclimate.report import formats
from acclimate.report.blocks import (
    Block,
    Column,
    Comparisons,
    Facts,
    Missing,
    Note,
    Section,
    SideBySide,
    Stretch,
    Table,
)
from acclimate.report.material import Material

SHOWN = 12
"""Hits shown of each rule."""


def contamination(material: Material) -> Section:
    """Counts per task and rule, and hits beside the items they overlap."""
    report = material.report("decontaminate", DecontaminateReport)
    blocks = (report,) if isinstance(report, Missing) else _blocks(report, material)
    return Section(
        "contamination",
        "Contamination",
        "A model that has read the questions is not tested by them. Training texts that hold an evaluation item, a "
        "document of the validation store or an item of a benchmark are taken out; the rest is checked again by "
        "another route and certified, and nothing else can be trained on.",
        blocks,
    )


def _blocks(report: DecontaminateReport, material: Material) -> tuple[Block, ...]:
    flagged = (
        f"{formats.count(report.flagged)} texts share a shorter passage with an item and stayed; those that share most "
        "are in artifacts/decontaminate/flagged.jsonl."
    )
    meaning = [] if report.rephrased is None else [_meaning(report.rephrased)]
    pairs = [] if report.preferences is None else [Note(f"Preference pairs: {report.preferences.sentence()}.")]
    return (_tasks(report), Note(flagged), *meaning, *pairs, *_comparisons(material))


def _tasks(report: DecontaminateReport) -> Table:
    rows = [
        (formats.words(task), *(formats.count(number) for number in (of.items, of.checked, of.found, of.dropped)))
        for task, of in report.tasks.items()
    ]
    columns = ("items", "looked for", "stood in training text", "training texts dropped")
    gone = formats.count(report.funnel.records_in - report.funnel.records_out)
    return Table(
        f"Items in training texts before {gone} of these were dropped",
        (Column("task"), *(Column(title, "number") for title in columns)),
        tuple(rows),
    )


def _meaning(report: RephrasedReport) -> Facts:
    """What the search for rephrased items proposed."""
    rows = (
        ("embedder", report.embedder),
        ("similarity from which a text is proposed", formats.decimal(report.similarity, 2)),
        ("pairs of a text and an item proposed", formats.count(report.candidates)),
        ("of these dismissed by the judge", formats.count(report.dismissed)),
        ("answers of the judge that were neither yes nor no", formats.count(report.unparseable)),
        ("texts that may rephrase an item", formats.count(report.texts)),
        ("items that may be rephrased", formats.count(report.items)),
    )
    return Facts(rows)


def _comparisons(material: Material) -> list[Comparisons]:
    shown = []
    for rule, hits in material.hits(SHOWN).items():
        more = f", the first {SHOWN} of {formats.count(hits.total)}" if hits.total > SHOWN else ""
        pairs = tuple(
            SideBySide(
                f"{hit['action']}: {hit['source']} {hit['id']} beside {formats.words(hit['task'])} {hit['item']}"
                + (f", similarity {formats.decimal(hit['similarity'], 2)}" if hit["similarity"] < 1 else "")
                + (f", and {hit['more']} more items" if hit["more"] else ""),
                tuple(Stretch(*stretch) for stretch in hit["text"]),
                tuple(Stretch(*stretch) for stretch in hit["evaluation"]),
            )
            for hit in hits.first
        )
        shown.append(Comparisons(f"{rule[0].upper()}{rule[1:]}{more}", ("training text", "evaluation item"), pairs))
    return shown
