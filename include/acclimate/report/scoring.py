"""Scores of every model on every task, before and after, with their 95 % intervals."""

from __future__ import annotations

from acclimate.model.baseline import BaselineReport
from acclimate.model.evaluate import EvaluateReport
from acclimate.model.score import Summary
from acclimate.release.evaluate_quantized import EvaluateQuantizedReport
from acclimate.report import formats
from acclimate.report.blocks import Block, Cell, Column, Figure, Missing, Section, Table
from acclimate.report.drawing import Picture
from acclimate.report.material import Material
from acclimate.report.plots import MODELS, Estimate, scores

MEASURES = {
    "accuracy": ("Share of cloze items answered right", "share of items answered right (0–1); more is better"),
    "bits_per_byte": ("Bits needed per byte of held-out text", "bits per byte; less is better"),
}
"""Key of a task's summary to the title and the axis of its figure."""

Summaries = dict[str, Summary]


def scoring(material: Material) -> Section:
    """One figure and one table per measure."""
    baseline = material.report("baseline", BaselineReport)
    evaluate = material.report("evaluate", EvaluateReport)
    quantized = material.report("evaluate_quantized", EvaluateQuantizedReport)
    by_model = _by_model(baseline, evaluate, quantized)
    blocks: list[Block] = [report for report in (baseline, evaluate, quantized) if isinstance(report, Missing)]
    for measure in MEASURES:
        estimates = _estimates(by_model, measure)
        if estimates:
            blocks += [_figure(estimates, measure), _table(estimates, by_model, measure)]
    return Section(
        "scores",
        "Scores",
        "The base before, the candidate after, the champion it would replace, and its quantised form, all on the same "
        "held-out items. Lines and brackets are 95 % intervals.",
        tuple(blocks),
    )


def _by_model(
    baseline: BaselineReport | Missing, evaluate: EvaluateReport | Missing, quantized: EvaluateQuantizedReport | Missing
) -> dict[str, Summaries]:
    found: dict[str, Summaries] = {}
    if isinstance(baseline, BaselineReport):
        found["base"] = baseline.tasks
    if isinstance(evaluate, EvaluateReport):
        found["candidate"] = evaluate.candidate_tasks
        if evaluate.champion_tasks is not None:
            found["champion"] = evaluate.champion_tasks
    if isinstance(quantized, EvaluateQuantizedReport):
        found["quantised"] = quantized.tasks
    return found


def _estimates(by_model: dict[str, Summaries], measure: str) -> dict[str, dict[str, Estimate]]:
    """Task to model to what was measured, models in the order of MODELS."""
    estimates: dict[str, dict[str, Estimate]] = {}
    for model in MODELS:
        for task, of in by_model.get(model, {}).items():
            if measure in of:
                estimates.setdefault(formats.words(task), {})[model] = Estimate(of[measure], *of["interval"])
    return estimates


def _figure(estimates: dict[str, dict[str, Estimate]], measure: str) -> Figure:
    title, axis = MEASURES[measure]
    told = [
        f"{task} " + ", ".join(f"{model} {formats.decimal(of.value)}" for model, of in models.items())
        for task, models in estimates.items()
    ]
    picture = Picture(f"{measure.replace('_', '-')}-plot", title, f"{title}: {'; '.join(told)}.")
    caption = f"{title}: markers are what was measured, lines the 95 % intervals."
    return Figure(scores(picture, estimates, axis), caption)


def _table(estimates: dict[str, dict[str, Estimate]], by_model: dict[str, Summaries], measure: str) -> Table:
    items = {formats.words(task): of["n"] for summaries in by_model.values() for task, of in summaries.items()}
    rows: list[tuple[Cell, ...]] = [
        (task, model, formats.decimal(of.value), formats.interval(of.low, of.high), formats.count(items[task]))
        for task, models in estimates.items()
        for model, of in models.items()
    ]
    columns = (Column("task"), Column("model"), Column(formats.words(measure), "number"))
    numbers = (Column("95 % interval", "number"), Column("items", "number"))
    return Table(MEASURES[measure][0], (*columns, *numbers), tuple(rows))
