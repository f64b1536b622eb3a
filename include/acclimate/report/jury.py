"""What a jury of language models said of two models' answers, and how far it can be believed."""

from __future__ import annotations

from acclimate.model.judge.tally import JudgeReport
from acclimate.model.scoring.estimates import Estimate
from acclimate.report import formats
from acclimate.report.blocks import Block, Cell, Column, Facts, Missing, Note, Section, Table
from acclimate.report.material import Material

ALPHA_TO_BELIEVE = 0.667
"""Krippendorff's alpha below which not even tentative conclusions are drawn (Content Analysis, 2004, ch. 11)."""


def jury(material: Material) -> Section | None:
    """The section, if a jury was asked: that is an action, and off unless somebody names one."""
    report = material.report("judge", JudgeReport)
    if isinstance(report, Missing):
        return None
    blocks: list[Block] = [_wins(report), _jurors(report), Facts((("cost", f"{report.cost:,.4g}"),))]
    weak = [name for name, of in report.agreement.items() if of.alpha is None or of.alpha < ALPHA_TO_BELIEVE]
    if weak:
        names = ", ".join(map(formats.words, weak))
        blocks.append(Note(f"On {names} the votes agree too little, or are too few, to conclude anything.", "warning"))
    return Section(
        "jury",
        "Jury",
        "Language models compared the candidate's answers with the base's, each pair with the places changed. That "
        "decides nothing.",
        tuple(blocks),
    )


def _wins(report: JudgeReport) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for name, won in report.wins.items():
        of = report.agreement[name]
        alpha: tuple[Cell, Cell] = (None, None)
        if of.alpha is not None and of.low is not None and of.high is not None:
            alpha = (formats.decimal(of.alpha), formats.interval(of.low, of.high))
        rows.append((formats.words(name), *_shown(won), *alpha))
    titles = ("candidate's win rate", "95 % interval", "agreement (alpha)", "95 % interval")
    caption = f"Over {formats.count(report.questions)} questions; ties count half, 0.5 is no difference"
    return Table(caption, (Column("criterion"), *(Column(title, "number") for title in titles)), tuple(rows))


def _jurors(report: JudgeReport) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            f"{name} ({of.model})",
            *(formats.count(number) for number in (of.asked, of.unparseable, of.unanswered)),
            _shown(of.first_place)[0],
            _shown(of.kept)[0],
            formats.count(of.prompt_tokens + of.completion_tokens),
        )
        for name, of in report.jurors.items()
    ]
    titles = ("asked", "unparseable", "unanswered", "took the first place", "kept its verdict", "tokens")
    return Table("Every juror", (Column("juror"), *(Column(title, "number") for title in titles)), tuple(rows))


def _shown(of: Estimate | None) -> tuple[Cell, Cell]:
    return (None, None) if of is None else (formats.decimal(of.value), formats.interval(of.low, of.high))
