"""What preference tuning changed: rewards of answers to held-out prompts, and how the loss fell."""

from __future__ import annotations

from acclimate.model.align import AlignReport, Preferred
from acclimate.model.training.report import Trained
from acclimate.report import formats
from acclimate.report.blocks import Block, Facts, Figure, Missing, Note
from acclimate.report.drawing import Picture
from acclimate.report.plots import lines


def preferring(report: AlignReport | Missing) -> list[Block]:
    """The stage align, off or on; what it trained is counted with the other adapters."""
    if isinstance(report, Missing):
        return [report]
    if report.trained is None or report.held_out is None:
        return [Note("Preference adapter: off in this run.")]
    return [_loss(report.trained), _rewards(report.held_out, report.left_out), *_warning(report.held_out)]


def _loss(done: Trained) -> Figure:
    first, last = done.loss_curve[0][1], done.loss_curve[-1][1]
    finding = (
        f"Loss of preference tuning: from {formats.decimal(first)} to {formats.decimal(last)}. It is 0.693 where both "
        "answers of a pair have become likelier alike, and falls as the chosen one gets ahead."
    )
    picture = Picture("preference-plot", "Preference tuning", finding)
    return Figure(lines(picture, {"Preference adapter": done.loss_curve}, "DPO loss (nats per pair)"), finding)


def _rewards(found: Preferred, left_out: int) -> Facts:
    margins = formats.interval(found.margin_low, found.margin_high, sign=True)
    shares = f"{formats.percent(found.accuracy_low)} … {formats.percent(found.accuracy_high)}"
    rows = [
        ("held out", f"{formats.count(found.pairs)} pairs of {formats.count(found.prompts)} prompts"),
        ("reward margin before tuning", "0, by definition"),
        ("reward margin after", f"{formats.signed(found.margin)}, 95 % interval {margins}"),
        ("by luck with a chance of", formats.probability(found.p_value)),
        ("chosen answer gained more in", f"{formats.percent(found.accuracy)} of the pairs, 95 % interval {shares}"),
    ]
    if left_out:
        rows.append(("pairs whose prompt was too long", formats.count(left_out)))
    return Facts(tuple(rows))


def _warning(found: Preferred) -> list[Note]:
    if found.margin_low > 0:
        return []
    text = "On prompts it was not tuned on, the model is not shown to prefer the chosen answers more than before."
    return [Note(text, "warning")]
