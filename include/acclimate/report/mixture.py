"""What the training set is made of: wanted and reached shares of its bytes."""

from __future__ import annotations

from acclimate.data.mix import MixReport
from acclimate.report import formats
from acclimate.report.blocks import Block, Column, Figure, Missing, Note, Section, Table
from acclimate.report.drawing import BLUE, MUTED, Picture
from acclimate.report.material import Material
from acclimate.report.plots import grouped_bars


def mixture(material: Material) -> Section:
    """Bars of wanted against reached, and what was there to choose from."""
    report = material.report("mix", MixReport)
    blocks: tuple[Block, ...] = (report,) if isinstance(report, Missing) else _blocks(report)
    return Section(
        "mix",
        "Training mix",
        "What the adapter learns from: documents and questions of the domain, and general text replayed so that "
        "what the base model can do already is kept. Shares are of bytes.",
        blocks,
    )


def _blocks(report: MixReport) -> tuple[Block, ...]:
    kinds = {formats.words(name): kind for name, kind in report.kinds.items()}
    finding = (
        f"{formats.size(report.bytes)} of {formats.size(report.wanted_bytes)} wanted: "
        + ", ".join(f"{formats.percent(kind.share)} {name}" for name, kind in kinds.items())
        + "."
    )
    series = {
        "wanted": (MUTED, "///", [100 * kind.wanted_share for kind in kinds.values()]),
        "reached": (BLUE, "", [100 * kind.share for kind in kinds.values()]),
    }
    picture = Picture("mix-plot", "Composition of the training set", finding)
    figure = Figure(grouped_bars(picture, list(kinds), series, "share of the training set's bytes (%)"), finding)
    rows = tuple(
        (
            name,
            formats.percent(kind.wanted_share),
            formats.percent(kind.share),
            formats.count(kind.records),
            formats.size(kind.bytes),
            formats.count(kind.available_records),
            formats.size(kind.available_bytes),
        )
        for name, kind in kinds.items()
    )
    titles = ("wanted", "reached", "records", "text", "records to choose from", "text to choose from")
    table = Table("Components", (Column("component"), *(Column(title, "number") for title in titles)), rows)
    return (figure, *(Note(note, "warning") for note in report.notes), table)
