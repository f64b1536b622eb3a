"""The questions with reference answers: wanted and drawn by kind and difficulty, what is missing, who agrees."""

from __future__ import annotations

from acclimate.data.evaluation_set import EvaluationSetReport
from acclimate.report import formats
from acclimate.report.blocks import Block, Cell, Column, Folded, Link, Mark, Note, Points, Table

DATA_DOCS = "../artifacts/evaluation_set/data_docs/index.html"


def quotas(report: EvaluationSetReport) -> list[Block]:
    """Tables of kinds and difficulties, what is not as wanted, and the state of the review."""
    blocks: list[Block] = [_kinds(report)]
    if report.unmet_share:
        missing = f"{formats.percent(report.unmet_share, 0)} of the places have no example of their kind."
        blocks.append(Note(missing, "warning"))
    if report.notes:
        blocks.append(Points("Not as wanted:", tuple(report.notes)))
    blocks += [_difficulties(report), Note(_review(report))]
    if any(found.examples for found in report.agreement.values()):
        blocks.append(_agreement(report))
    blocks.append(Link(DATA_DOCS, "Data Docs of the evaluation set"))
    if report.funnel.rejected:
        blocks.append(Folded("Proposed examples that are not in the set", _rejected(report)))
    return blocks


def _kinds(report: EvaluationSetReport) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            formats.words(name),
            formats.count(kind.wanted),
            formats.count(kind.examples),
            formats.count(kind.usable),
            formats.count(kind.waiting),
            Mark("short", "warning") if kind.examples < kind.wanted else Mark("met", "good"),
        )
        for name, kind in report.kinds.items()
    ]
    numbers = ("wanted", "examples", "usable", "waiting for review")
    columns = (Column("kind of source"), *(Column(title, "number") for title in numbers), Column("quota"))
    total = sum(kind.examples for kind in report.kinds.values())
    caption = f"Questions with reference answers: {formats.count(total)} of {formats.count(report.wanted)} wanted"
    return Table(caption, columns, tuple(rows))


def _difficulties(report: EvaluationSetReport) -> Table:
    rows = [
        (name, formats.count(level.wanted), formats.count(level.examples), formats.count(level.usable))
        for name, level in report.difficulties.items()
    ]
    said = ", ".join(f"{name} {formats.count(number)}" for name, number in report.difficulty_from.items()) or "none"
    columns = (Column("difficulty"), *(Column(title, "number") for title in ("wanted", "examples", "usable")))
    return Table(f"How hard the questions are, by whom: {said}", columns, tuple(rows))


def _review(report: EvaluationSetReport) -> str:
    queue = ", ".join(f"{formats.count(number)} {reason}" for reason, number in report.queue.items() if number)
    total = sum(kind.examples for kind in report.kinds.values())
    seen = f"{formats.count(report.reviewed)} of {formats.count(total)} examples were reviewed by a person"
    met = f"All meet {formats.count(report.expectations)} Great Expectations"
    return f"{seen}. {met}. In the review queue: {queue or 'nothing'}."


def _agreement(report: EvaluationSetReport) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            name,
            formats.count(found.examples),
            formats.count(found.annotators),
            None if found.alpha is None else formats.decimal(found.alpha),
            None if found.low is None or found.high is None else formats.interval(found.low, found.high),
            found.note or None,
        )
        for name, found in report.agreement.items()
    ]
    numbers = ("examples judged by several", "annotators", "alpha", "95 % interval")
    columns = (Column("label"), *(Column(title, "number") for title in numbers), Column("note"))
    return Table("Krippendorff's alpha: 1 is full agreement, 0 is chance", columns, tuple(rows))


def _rejected(report: EvaluationSetReport) -> Table:
    rows = [("left out", reason, formats.count(number)) for reason, number in report.funnel.rejected.items()]
    caption = f"{formats.count(report.funnel.records_in)} proposed, {formats.count(report.funnel.records_out)} drawn"
    columns = (Column("what became of them"), Column("because"), Column("examples", "number"))
    return Table(caption, columns, tuple(rows))
