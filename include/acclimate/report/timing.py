"""Where the time went: seconds per stage, start-up (imports) apart from work."""

from __future__ import annotations

from acclimate.pipeline import ACTIONS, STAGES
from acclimate.report import formats
from acclimate.report.blocks import Block, Column, Figure, Missing, Section, Table
from acclimate.report.drawing import BLUE, ORANGE, Picture
from acclimate.report.material import Material, Seconds
from acclimate.report.plots import stacked_bars


def timing(material: Material) -> Section:
    """Table and bars of timings/*.json, in pipeline order; this page is still being written, so without it."""
    actions = (step for name, action in ACTIONS.items() for step in ([name] if action.timed else action.steps))
    steps = [*STAGES, *(step for step in actions if step != "report")]
    known = {name: material.seconds[name] for name in steps if name in material.seconds}
    blocks: tuple[Block, ...] = (Missing("No step has been timed here.", "dvc repro"),)
    if known:
        blocks = (_figure(known), _table(known))
    return Section(
        "seconds",
        "Seconds per step",
        "Wall-clock time of each step's last run on this machine. Start-up is the interpreter and the import of "
        "libraries; a stage whose inputs have not changed is not run again.",
        blocks,
    )


def _figure(known: dict[str, Seconds]) -> Figure:
    slowest = max(known, key=lambda name: known[name].work)
    sentence = f"{slowest} worked longest: {formats.seconds(known[slowest].work)} s."
    return Figure(
        stacked_bars(
            Picture("seconds-plot", "Seconds per step", sentence),
            list(known),
            {
                "start-up": (ORANGE, "///", [spent.start_up for spent in known.values()]),
                "work": (BLUE, "", [spent.work for spent in known.values()]),
            },
            [formats.seconds(spent.start_up + spent.work) for spent in known.values()],
            "seconds",
        ),
        sentence,
    )


def _table(known: dict[str, Seconds]) -> Table:
    rows = [
        (name, *(formats.seconds(value) for value in (spent.start_up, spent.work, spent.start_up + spent.work)))
        for name, spent in known.items()
    ]
    start_up, work = (sum(values) for values in zip(*((s.start_up, s.work) for s in known.values()), strict=True))
    rows.append(("together", *(formats.seconds(value) for value in (start_up, work, start_up + work))))
    columns = (Column("step"), Column("start-up (s)", "number"), Column("work (s)", "number"))
    return Table("Seconds per step", (*columns, Column("sum (s)", "number")), tuple(rows))
