"""A diff as one HTML page in the looks of the run report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from acclimate.dataset.diff import DiffReport, Moved, Shifted
from acclimate.report import formats
from acclimate.report.blocks import Block, Column, Facts, Figure, Header, Mark, Page, Section, Table
from acclimate.report.drawing import BLUE, MUTED, Picture, draw
from acclimate.report.plots import grouped_bars

PAGE = Path("reports/dataset_diff.html")
MOST_VALUES = 12
"""Bars of a property; what is rarer in both versions is in the table of reports/dataset_diff.json."""


def page(report: DiffReport) -> Page:
    """Everything that there is to show of a difference."""
    same = not (report.came or report.went or report.changed)
    header = Header(
        title=f"{report.old} → {report.new}",
        subtitle=f"{formats.count(report.old_records)} → {formats.count(report.new_records)} records",
        verdict=Mark("the same", "good") if same else Mark("different"),
        summary=report.headline(),
        tiles=(),
        kind="difference of two training sets",
        judge="Records",
    )
    return Page(header, (_records(report), _measured(report), _counted(report)))


def _records(report: DiffReport) -> Section:
    rows = (
        ("came", f"{formats.count(report.came)}, {formats.size(report.came_bytes)}"),
        ("went", f"{formats.count(report.went)}, {formats.size(report.went_bytes)}"),
        ("changed", formats.count(report.changed)),
        ("renamed", f"{formats.count(report.renamed)} of those that came have a text that went"),
    )
    examples = tuple((what, of) for what, ids in report.examples.items() for of in ids)
    blocks: list[Block] = [Facts(rows)]
    if examples:
        blocks.append(Table("The first of each", (Column("what"), Column("source and id", "code")), examples))
    return Section("records", "Records", "Matched by id; changed means another text under the same id.", tuple(blocks))


def _measured(report: DiffReport) -> Section:
    rows = tuple(
        (
            name,
            formats.decimal(of.ks),
            formats.probability(of.p_value),
            formats.decimal(of.old_mean),
            formats.decimal(of.new_mean),
        )
        for name, of in report.measured.items()
    )
    titles = ("KS distance", "p", f"mean, {report.old}", f"mean, {report.new}")
    table = Table("Two-sample test", (Column("quantity"), *(Column(title, "number") for title in titles)), rows)
    lead = "How long and how good the texts are, as distribution functions: the share of records up to a value."
    figure = (_functions(report),) if report.measured else ()
    return Section("measured", "Length and quality", lead, (*figure, table))


def _functions(report: DiffReport) -> Figure:
    def paint(figure: Any) -> None:
        panels = figure.subplots(1, len(report.measured), squeeze=False)[0]
        for axes, (name, of) in zip(panels, report.measured.items(), strict=True):
            for values, label, colour, style in (
                (of.old_quantiles, report.old, MUTED, "--"),
                (of.new_quantiles, report.new, BLUE, "-"),
            ):
                shares = [100 * place / (len(values) - 1) for place in range(len(values))]
                axes.step(values, shares, where="post", color=colour, linestyle=style, label=label)
            axes.set(title=name, xlabel=_unit(name), ylabel="records up to here (%)")
            if name == "bytes":
                axes.set_xscale("log")
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=2, fontsize=9)

    finding = ", ".join(_sentence(name, of) for name, of in report.measured.items()) + "."
    picture = Picture("measured-plot", "Length and quality of the records", finding)
    return Figure(draw(picture, (4.2 * len(report.measured), 3.2), paint), finding)


def _unit(name: str) -> str:
    return {"bytes": "UTF-8 bytes", "quality": "quality score (0–1)"}[name]


def _sentence(name: str, of: Moved) -> str:
    moved = "moved" if of.p_value < 0.01 else "did not move"
    return f"{name} {moved} (KS {of.ks:.3f}, p {formats.probability(of.p_value)})"


def _counted(report: DiffReport) -> Section:
    shown = {name: of for name, of in report.counted.items() if len({**of.old_shares, **of.new_shares}) > 1}
    figures = tuple(_bars(name, of, {"old": report.old, "new": report.new}) for name, of in shown.items())
    rows = tuple((name, formats.decimal(of.js, 4)) for name, of in report.counted.items())
    table = Table("Jensen–Shannon divergence, 0–1 bits", (Column("property"), Column("JS", "number")), rows)
    return Section("counted", "Composition", "Shares of the records; one value alone is not drawn.", (*figures, table))


def _bars(name: str, of: Shifted, names: Mapping[str, str]) -> Figure:
    values = list(of.old_shares)[:MOST_VALUES]
    finding = f"{name}: JS {of.js:.4f}."
    series = {
        names["old"]: (MUTED, "///", [100 * of.old_shares[value] for value in values]),
        names["new"]: (BLUE, "", [100 * of.new_shares[value] for value in values]),
    }
    picture = Picture(f"{name}-plot", f"Records by {name}", finding)
    return Figure(grouped_bars(picture, values, series, f"{name}: share of the records (%)"), finding)
