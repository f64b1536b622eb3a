"""How the challenger did with users: every step of its canary, the evidence, and where it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from acclimate.report import formats
from acclimate.report.blocks import Block, Cell, Column, Facts, Mark, Missing, Note, Section, Table, Tone
from acclimate.report.material import Material

VERDICTS: dict[str, Mark] = {
    "advance": Mark("advance", "good"),
    "roll_back": Mark("roll back", "bad"),
    "withdraw": Mark("withdrawn", "warning"),
}


@dataclass(frozen=True)
class Tried:
    """Of reports/canary.json, which holds what the endpoint said of the canary when a step was over."""

    headline: str
    status: str
    champion: str
    challenger: str
    requests: int
    slow_s: float | None
    ended: list[dict[str, Any]]


def canary(material: Material) -> Section | None:
    """The section, if the challenger was tried: a canary is off unless somebody asks for it."""
    tried = material.report("canary", Tried)
    if isinstance(tried, Missing):
        return None
    tone: Tone = "neutral" if tried.status in ("running", "passed") else "warning"
    slow = "not known yet" if tried.slow_s is None else formats.seconds(tried.slow_s)
    facts = (
        ("requests", formats.count(tried.requests)),
        ("an answer is slow beyond", slow),
    )
    blocks: list[Block] = [Note(f"{tried.headline}.", tone), Facts(facts)]
    blocks += [_steps(tried), _evidence(tried)] if tried.ended else []
    return Section(
        "canary",
        "Canary",
        f"Version {tried.challenger} answered a rising share of the users; version {tried.champion} the others. Each "
        "difference was looked at after every request, by a test that allows for it.",
        tuple(blocks),
    )


def _steps(tried: Tried) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            str(of["step"] + 1),
            formats.percent(of["share"]),
            VERDICTS[of["verdict"]],
            formats.count(of["requests"]),
            of["when"],
            of["reason"],
        )
        for of in tried.ended
    ]
    columns = (Column("step", "number"), Column("share", "number"), Column("verdict"), Column("at request", "number"))
    return Table("Every step that is over", (*columns, Column("when", "code"), Column("reason")), tuple(rows))


def _evidence(tried: Tried) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            str(of["step"] + 1),
            formats.words(found["metric"]),
            f"{found['challenger_bad']:,} of {found['challenger']:,}",
            f"{found['champion_bad']:,} of {found['champion']:,}",
            formats.percent(found["at_most"]),
            formats.percent(found["bound"]),
            formats.decimal(found["harm"]),
            formats.decimal(found["safety"]),
        )
        for of in tried.ended
        for found in of["evidence"]
    ]
    titles = ("challenger", "champion", "at most worse by", "bound", "ln e-value of harm", "ln e-value of safety")
    caption = "Bad answers when the step ended; 'at most' holds at every moment at once"
    columns = (Column("step", "number"), Column("metric"), *(Column(title, "number") for title in titles))
    return Table(caption, columns, tuple(rows))
