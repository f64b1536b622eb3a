"""The base, beside other bases where some were named: five dimensions, what there is to gain, which one to take."""

from __future__ import annotations

from acclimate.model.baseline import BaselineReport
from acclimate.model.choosing.comparing import Choice, Judged
from acclimate.model.choosing.sanity import Sanity
from acclimate.model.scoring.estimates import Estimate
from acclimate.report import formats
from acclimate.report.blocks import Block, Cell, Column, Facts, Folded, Mark, Missing, Note, Section, Table, Tone
from acclimate.report.material import Material

TONES: dict[str, Tone] = {
    "as published": "good",
    "not as published": "bad",
    "undecided": "warning",
    "not run": "neutral",
}


def bases(material: Material) -> Section:
    """What each base scores on the dimensions, and the recommendation."""
    report = material.report("baseline", BaselineReport)
    blocks: list[Block] = [report] if isinstance(report, Missing) else []
    if isinstance(report, BaselineReport) and report.choice is not None:
        blocks += _choice(report.choice)
    if isinstance(report, BaselineReport) and report.sanity is not None:
        blocks.append(_sanity(report.sanity))
    return Section(
        "bases",
        "The base",
        "The model that is adapted, before anything is done to it, on five dimensions that are weighted into one "
        "score: 0 is worst, 1 is best. Brackets are 95 % intervals; models whose intervals overlap widely are not told "
        "apart by these items.",
        tuple(blocks),
    )


def _choice(choice: Choice) -> list[Block]:
    recommendation = choice.recommendation
    facts: list[tuple[str, Cell]] = [("recommended", recommendation.choice), ("because", recommendation.why)]
    blocks: list[Block] = [Facts(tuple(facts)), _composites(choice), _dimensions(choice.models)]
    if choice.left_out:
        names = ", ".join(formats.words(name) for name in choice.left_out)
        blocks.append(Note(f"No items for {names}; the other dimensions took the weight.", "warning"))
    return [*blocks, *(Folded(f"The worst answers of {model.name}", _worst(model)) for model in choice.models)]


def _composites(choice: Choice) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for model in choice.models:
        ahead = choice.recommendation.advantages.get(model.name)
        rows.append(
            (
                model.name,
                formats.count(model.parameters),
                _value(model.composite),
                _advantage(ahead) if ahead else None,
                formats.percent(model.potential.share.value),
                model.potential.reading,
            )
        )
    columns = (
        Column("base"),
        Column("parameters", "number"),
        Column("composite score", "number"),
        Column("over the present base", "number"),
        Column("adaptation potential", "number"),
        Column("which means"),
    )
    return Table("All dimensions together", columns, tuple(rows))


def _dimensions(models: list[Judged]) -> Table:
    names = dict.fromkeys(name for model in models for name in model.dimensions)
    rows: list[tuple[Cell, ...]] = [
        (
            formats.words(name),
            formats.percent(of.weight, 0),
            model.name,
            _value(of.mean),
            formats.decimal(of.sd),
            formats.decimal(of.minimum),
            f"{formats.percent(of.failures.value)} of {formats.count(of.failures.n)}",
        )
        for name in names
        for model in models
        if (of := model.dimensions.get(name)) is not None
    ]
    titles = ("weight", "base", "mean", "spread (sd)", "minimum", "failed")
    columns = tuple(Column(title, "text" if title == "base" else "number") for title in titles)
    return Table("Each dimension", (Column("dimension"), *columns), tuple(rows))


def _worst(model: Judged) -> Table:
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (formats.words(name), of.about, formats.decimal(of.score), of.said)
        for name, quality in model.dimensions.items()
        for of in quality.worst
    )
    columns = (Column("dimension"), Column("item about", "code"), Column("score", "number"), Column("what it did"))
    return Table("Five of each dimension", columns, rows)


def _sanity(sanity: Sanity) -> Facts:
    return Facts((("public task", Mark(sanity.verdict, TONES[sanity.verdict])), ("what was found", sanity.said)))


def _advantage(of: Estimate) -> str:
    return f"{formats.signed(of.value)} ({formats.interval(of.low, of.high, sign=True)})"


def _value(of: Estimate) -> str:
    return f"{formats.decimal(of.value)} ({formats.interval(of.low, of.high)})"
