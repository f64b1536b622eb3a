"""How the batch differs from the one accepted last."""

from __future__ import annotations

from acclimate.data.validate import ValidateReport
from acclimate.data.validation.shifts import Comparison, Shift
from acclimate.report import formats
from acclimate.report.blocks import Block, Cell, Column, Folded, Note, Table


def comparison_blocks(report: ValidateReport) -> list[Block]:
    """What could not be compared, and every measure of every source, the one nearest to its limit first."""
    comparison = report.comparison
    if comparison is None:
        return [Note("No batch was accepted before this one: its sources were compared with nothing.")]
    shifts = sorted(comparison.shifts, key=_used, reverse=True)
    return [*_uncompared(comparison), Folded("The sources against the batch accepted last", _table(shifts))]


def _uncompared(comparison: Comparison) -> list[Note]:
    sentences = {
        "New since the accepted batch, compared with nothing": comparison.new_sources,
        "In the accepted batch, since then taken out of params.yaml": comparison.removed_sources,
    }
    return [Note(f"{sentence}: {', '.join(names)}.") for sentence, names in sentences.items() if names]


def _used(shift: Shift) -> float:
    """The share of its limit that a change takes up; of a schema change nothing is allowed."""
    return shift.change / shift.limit if shift.limit else shift.change


def _table(shifts: list[Shift]) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            shift.source or "all",
            formats.words(shift.measure),
            shift.subject or None,
            shift.found,
            shift.accepted,
            f"{shift.change:.3f}",
            f"{shift.limit:.3f}",
        )
        for shift in shifts
    ]
    columns = (Column("source"), Column("measure"), Column("of", "code"), Column("now"), Column("accepted"))
    title = "The limit is the dial in params.yaml, or what chance explains if that is more"
    return Table(title, (*columns, Column("change", "number"), Column("limit", "number")), tuple(rows))
