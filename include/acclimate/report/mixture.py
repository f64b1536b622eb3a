"""What the training set is made of: wanted and reached shares of its bytes."""

from __future__ import annotations

from acclimate.data.mix import MixReport
from acclimate.report import formats
from acclimate.report.blocks import Block, Cell, Column, Facts, Figure, Missing, Note, Section, Table
from acclimate.report.drawing import BLUE, MUTED, Picture
from acclimate.report.material import Material
from acclimate.report.plots import grouped_bars


def mixture(material: Material) -> Section:
    """Bars of wanted against reached, and what was there to choose from."""
    report = material.report("mix", MixReport)
    blocks: tuple[Block, ...] = (report,) if isinstance(report, Missing) else _blocks(report, material)
    return Section(
        "mix",
        "Training mix",
        "What the adapter learns from: documents and questions of the domain, and general text replayed so that "
        "what the base model can do already is kept. Shares are of bytes.",
        blocks,
    )


def _blocks(report: MixReport, material: Material) -> tuple[Block, ...]:
    doubts = (Note(f"Doubtful: {warning}.", "warning") for warning in report.warnings)
    notes = (Note(note, "warning") for note in report.notes)
    return (_figure(report), *doubts, *notes, _table(report), _facts(report, material))


def _figure(report: MixReport) -> Figure:
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
    return Figure(grouped_bars(picture, list(kinds), series, "share of the training set's bytes (%)"), finding)


def _table(report: MixReport) -> Table:
    rows = tuple(
        (
            formats.words(name),
            formats.percent(kind.wanted_share),
            formats.percent(kind.share),
            formats.count(kind.records),
            formats.size(kind.bytes),
            formats.count(kind.estimated_tokens),
            None if kind.mean_quality is None else formats.decimal(kind.mean_quality),
            formats.count(kind.available_records),
            formats.size(kind.available_bytes),
        )
        for name, kind in report.kinds.items()
    )
    titles = ("wanted", "reached", "records", "text", "estimated tokens", "mean quality")
    there = ("records to choose from", "text to choose from")
    return Table("Components", (Column("component"), *(Column(title, "number") for title in (*titles, *there))), rows)


def _facts(report: MixReport, material: Material) -> Facts:
    facts: list[tuple[str, Cell]] = [
        ("version", ", ".join(material.dataset_tags(report.dataset_sha256)) or "not tagged: acclimate dataset tag"),
        ("strategy", formats.words(report.strategy)),
        ("estimated tokens", formats.count(report.estimated_tokens)),
        ("difficulty, of bytes", _shares(report.difficulty)),
        ("of low quality", formats.percent(report.low_quality_share)),
        ("mean similarity", formats.decimal(report.mean_similarity)),
    ]
    if report.stages:
        facts.append(("stages, in order, of bytes", _shares(report.stages)))
    return Facts(tuple(facts))


def _shares(shares: dict[str, float]) -> str:
    return ", ".join(f"{name} {formats.percent(share)}" for name, share in shares.items())
