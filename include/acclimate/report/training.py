"""How the models were made: the base and its pre-training, the adapter, and both loss curves."""

from __future__ import annotations

from acclimate.model.base import BaseReport
from acclimate.model.train import TrainReport
from acclimate.report import formats
from acclimate.report.blocks import Block, Facts, Figure, Missing, Note, Section
from acclimate.report.drawing import Picture
from acclimate.report.material import Material
from acclimate.report.plots import lines


def training(material: Material) -> Section:
    """Loss curves and what they cost in tokens."""
    base = material.report("base", BaseReport)
    adapter = material.report("train", TrainReport)
    curves = {}
    if isinstance(base, BaseReport) and base.loss_curve:
        curves["Base: pre-training"] = base.loss_curve
    if isinstance(adapter, TrainReport):
        curves["Adapter: training"] = adapter.loss_curve
    blocks: list[Block] = [_figure(curves)] if curves else []
    blocks += _base(base)
    blocks += _adapter(adapter)
    return Section(
        "training",
        "Training",
        "The base model stays as it is; the adapter is a small set of weights trained beside it on the mix above.",
        tuple(blocks),
    )


def _figure(curves: dict[str, list[list[float]]]) -> Figure:
    falls = [
        f"{name.lower()} from {formats.decimal(curve[0][1])} to {formats.decimal(curve[-1][1])}"
        for name, curve in curves.items()
    ]
    finding = f"Training loss: {'; '.join(falls)} nats per token, each point the mean of a window of steps."
    picture = Picture("loss-plot", "Loss curves", finding)
    return Figure(lines(picture, curves, "loss (nats per token)"), finding)


def _base(report: BaseReport | Missing) -> list[Block]:
    if isinstance(report, Missing):
        return [report]
    rows = [
        ("base model", f"{report.model}, {report.origin}"),
        ("parameters", formats.count(report.parameters)),
        ("vocabulary", f"{formats.count(report.vocabulary)} tokens"),
    ]
    if report.final_loss is not None and report.first_loss is not None:
        seen = f"{formats.count(report.tokens_seen)} tokens of {formats.count(report.texts)} texts"
        rows.append(("pre-trained on", seen))
        rows.append(("loss", f"{formats.decimal(report.first_loss)} → {formats.decimal(report.final_loss)}"))
    return [Facts(tuple(rows))]


def _adapter(report: TrainReport | Missing) -> list[Block]:
    if isinstance(report, Missing):
        return [report]
    trained = f"{formats.count(report.trained_tokens)} tokens in {formats.count(report.steps)} steps"
    rows = (
        ("adapter", f"{formats.strategy(report.strategy)}, trained in {report.precision}"),
        (
            "trainable parameters",
            f"{formats.count(report.trainable_parameters)}, {formats.percent(report.trainable_share)} of all",
        ),
        (
            "trained on",
            f"{trained}, {formats.decimal(report.epochs, 2)} passes over {formats.count(report.texts)} texts",
        ),
        ("loss", f"{formats.decimal(report.first_loss)} → {formats.decimal(report.final_loss)}"),
    )
    repeated = "The training set was too small for the steps and was read more than once."
    return [Facts(rows), *([Note(repeated, "warning")] if report.repeated else [])]
