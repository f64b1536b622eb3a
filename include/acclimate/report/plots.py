"""The pictures of the page: curves, bars, scores and differences with intervals, reliability.

Pure functions from plain values to an SVG string; what to draw is decided by the section modules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from acclimate.report.drawing import BLUE, INK, MUTED, ORANGE, PURPLE, Picture, draw

MODELS: dict[str, tuple[str, str]] = {
    "base": (MUTED, "o"),
    "candidate": (BLUE, "D"),
    "champion": (ORANGE, "s"),
    "quantised": (PURPLE, "^"),
}
"""Colour and marker of each model, the same in every figure."""


@dataclass(frozen=True)
class Estimate:
    """A measured value and the ends of its 95 % interval."""

    value: float
    low: float
    high: float


def lines(picture: Picture, curves: Mapping[str, Sequence[Sequence[float]]], y: str) -> str:
    """One panel per curve of (step, value), side by side, each with its own axes: their scales differ."""

    def paint(figure: Any) -> None:
        panels = figure.subplots(1, len(curves), squeeze=False)[0]
        for axes, (label, curve) in zip(panels, curves.items(), strict=True):
            axes.plot([step for step, _ in curve], [value for _, value in curve], color=BLUE, marker=".", markersize=4)
            axes.set(title=label, xlabel="optimiser step", ylabel=y)

    return draw(picture, (4.2 * len(curves), 3.0), paint)


def stacked_bars(
    picture: Picture,
    rows: Sequence[str],
    parts: Mapping[str, tuple[str, str, Sequence[float]]],
    labels: Sequence[str],
    x: str,
) -> str:
    """Horizontal bars, one per row from the top, each of several parts laid end to end.

    Args:
        picture: name, title and finding.
        rows: what each bar is.
        parts: legend text to (colour, hatch, length in each row).
        labels: text behind the end of each bar.
        x: the axis label with its unit.
    """

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        ends = [0.0] * len(rows)
        for label, (colour, hatch, lengths) in parts.items():
            axes.barh(
                range(len(rows)), lengths, left=ends, height=0.62, color=colour, hatch=hatch, label=label, linewidth=0
            )
            ends = [end + length for end, length in zip(ends, lengths, strict=True)]
        for row, (end, label) in enumerate(zip(ends, labels, strict=True)):
            axes.annotate(label, (end, row), (5, 0), textcoords="offset points", va="center", color=INK, fontsize=9)
        axes.set_yticks(range(len(rows)), rows)
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.set_xlim(0, 1.25 * max([*ends, 1e-9]))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.6g}")
        axes.set_xlabel(x)
        if len(parts) > 1:
            figure.legend(loc="outside upper center", ncols=len(parts), fontsize=9)

    return draw(picture, (8.0, 1.1 + 0.36 * len(rows)), paint)


def scores(picture: Picture, tasks: Mapping[str, Mapping[str, Estimate]], x: str) -> str:
    """One row per task and model: a marker at the score, a line over its interval.

    Args:
        picture: name, title and finding.
        tasks: task to model (a key of MODELS) to estimate.
        x: the axis label with its unit.
    """
    rows = [(task, model, estimate) for task, models in tasks.items() for model, estimate in models.items()]

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        for row, (_, model, estimate) in enumerate(rows):
            colour, marker = MODELS[model]
            axes.plot([estimate.low, estimate.high], [row, row], color=colour, linewidth=2, solid_capstyle="butt")
            axes.plot([estimate.value], [row], color=colour, marker=marker, markersize=7)
        previous = ""
        for row, (task, _, _) in enumerate(rows):
            if previous and task != previous:
                axes.axhline(row - 0.5, color=MUTED, linewidth=0.6)
            previous = task
        axes.set_yticks(range(len(rows)), [f"{task}: {model}" for task, model, _ in rows])
        _rows_from_the_top(axes, len(rows))
        axes.set_xlabel(x)

    return draw(picture, (8.0, 0.8 + 0.3 * len(rows)), paint)


def differences(picture: Picture, rows: Mapping[str, Estimate], x: str) -> str:
    """One row per comparison: the difference, its interval, and the line at zero it is read against."""

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        axes.axvline(0, color=INK, linewidth=1)
        for row, estimate in enumerate(rows.values()):
            axes.plot([estimate.low, estimate.high], [row, row], color=BLUE, linewidth=2, solid_capstyle="butt")
            axes.plot([estimate.value], [row], color=BLUE, marker="D", markersize=7)
        axes.set_yticks(range(len(rows)), list(rows))
        _rows_from_the_top(axes, len(rows))
        axes.set_xlabel(x)

    return draw(picture, (8.0, 0.8 + 0.36 * len(rows)), paint)


def _rows_from_the_top(axes: Any, rows: int) -> None:
    axes.set_ylim(rows - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)


def grouped_bars(
    picture: Picture, rows: Sequence[str], series: Mapping[str, tuple[str, str, Sequence[float]]], x: str
) -> str:
    """Horizontal bars side by side, one group per row from the top; values stand behind the bars.

    Args:
        picture: name, title and finding.
        rows: what each group is.
        series: legend text to (colour, hatch, length in each row).
        x: the axis label with its unit.
    """
    height = 0.76 / len(series)

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        for place, (label, (colour, hatch, lengths)) in enumerate(series.items()):
            middles = [row + (place - (len(series) - 1) / 2) * height for row in range(len(rows))]
            bars = axes.barh(middles, lengths, height=0.9 * height, color=colour, hatch=hatch, label=label, linewidth=0)
            axes.bar_label(bars, fmt="{:.1f}", padding=5, fontsize=9)
        axes.set_yticks(range(len(rows)), rows)
        _rows_from_the_top(axes, len(rows))
        axes.margins(x=0.1)
        axes.set_xlabel(x)
        figure.legend(loc="outside upper center", ncols=len(series), fontsize=9)

    return draw(picture, (8.0, 1.1 + 0.6 * len(rows)), paint)


def reliability(picture: Picture, curves: Mapping[str, Sequence[tuple[float, float, int]]]) -> str:
    """Share right over confidence, one marker per bin and as large as its items are many, and the line of honesty.

    Args:
        picture: name, title and finding.
        curves: model (a key of MODELS) to (mean confidence, share right, items) per bin.
    """
    most = max(items for bins in curves.values() for _, _, items in bins)

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=INK, linewidth=1, linestyle="--")
        for model, bins in curves.items():
            colour, marker = MODELS[model]
            confidence, right = [one[0] for one in bins], [one[1] for one in bins]
            axes.plot(confidence, right, color=colour, linewidth=1)
            sizes = [12 + 140 * items / most for _, _, items in bins]
            axes.scatter(confidence, right, s=sizes, color=colour, marker=marker, label=model)
        axes.set(xlim=(0, 1.02), ylim=(-0.02, 1.02), xlabel="confidence (0–1)", ylabel="share answered right (0–1)")
        figure.legend(loc="outside upper center", ncols=len(curves), fontsize=9)

    return draw(picture, (5.2, 4.4), paint)
