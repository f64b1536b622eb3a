"""How sure a verdict can be: what the test set can show, how calibrated the models are, what repeated use costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from acclimate.report import formats
from acclimate.report.blocks import Block, Cell, Column, Note, Table


@dataclass(frozen=True)
class Shows:
    """What the items of one metric can show."""

    items: int
    clusters: int
    design_effect: float
    discordance: float
    detectable_gain: float | None = None
    asked_gain: float | None = None
    passing_gain: float | None = None
    passing_retention: float | None = None


@dataclass(frozen=True)
class Standing:
    """The candidate's place among those judged on its test set, and what of alpha is spent."""

    submission: int
    limit: int
    alpha: float
    level: float
    spent: float


@dataclass(frozen=True)
class Certainty:
    """Of reports/gate.json: what its verdict could rest on."""

    power: float
    """With which what `sensitivity` names is found (0–1)."""
    sensitivity: dict[str, dict[str, Shows]]
    """Stated and observed, by metric."""
    calibration_error: dict[str, dict[str, float]]
    """Metric to model to expected calibration error."""
    ledger: Standing


def blocks(of: Certainty) -> list[Block]:
    """What the items could have shown at all, how calibrated the models are, and what repeated use costs."""
    return [_shows(of), _calibration(of.calibration_error), _standing(of.ledger)]


def _shows(certainty: Certainty) -> Table:
    """Beforehand and afterwards, per metric."""
    rows: list[tuple[Cell, ...]] = []
    for when, metrics in certainty.sensitivity.items():
        for name, of in metrics.items():
            counts = (formats.count(of.items), formats.decimal(of.design_effect, 2), formats.percent(of.discordance))
            gains = (_points(of.detectable_gain), _points(of.passing_gain))
            kept = None if of.passing_retention is None else formats.percent(of.passing_retention)
            rows.append((WHEN[when], formats.words(name), *counts, *gains, kept))
    titles = ("items", "design effect", "discordance", "gain found", "gain that passes", "kept that passes")
    return Table(
        f"What is found {formats.percent(certainty.power, 0)} of the time, if it is true (Connor 1987; Kish 1965)",
        (Column("stated"), Column("metric"), *(Column(title, "number") for title in titles)),
        tuple(rows),
    )


WHEN = {"stated": "before the candidate was looked at", "observed": "as it turned out"}


def _points(gain: float | None) -> str | None:
    return None if gain is None else f"{formats.signed(100 * gain, 1)} points"


def _calibration(errors: Mapping[str, Mapping[str, float]]) -> Table:
    models = tuple(next(iter(errors.values())))
    rows = tuple(
        (formats.words(metric.removesuffix("_brier")), *(formats.percent(values[model]) for model in models))
        for metric, values in errors.items()
    )
    columns = (Column("items"), *(Column(model, "number") for model in models))
    return Table(
        "Calibration error: how far confidence and accuracy are apart (the Brier score decides)", columns, rows
    )


def _standing(of: Standing) -> Note:
    """The cost of repeated use, in plain words."""
    every, spent, left = (formats.percent(share, 2) for share in (of.alpha, of.spent, of.alpha - of.spent))
    return Note(
        f"This is candidate {of.submission} of at most {of.limit} on this locked test set, so it was tested at level "
        f"{of.level:.2g} instead of {of.alpha:g}: the k-th candidate gets alpha/(k(k+1)), and all of them together "
        f"promote a useless one with a chance of at most {every} (alpha spending; Foster & Stine 2008). Of that, "
        f"{spent} is spent and {left} is left for every candidate to come. This holds while nobody trains on single "
        "test items or tunes to their scores; against that only a limit helps (Blum & Hardt 2015), which is why after "
        f"{of.limit} candidates a new test set is asked for."
    )
