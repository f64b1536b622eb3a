"""How the models were made: the base and its pre-training, the adapters, their loss curves, and what they make up."""

from __future__ import annotations

from acclimate.model.align import AlignReport
from acclimate.model.base import BaseReport
from acclimate.model.compose import ComposeReport
from acclimate.model.training.report import Trained, TrainReport
from acclimate.report import formats
from acclimate.report.blocks import Block, Column, Facts, Figure, Missing, Note, Section, Table
from acclimate.report.drawing import Picture
from acclimate.report.material import Material
from acclimate.report.plots import lines
from acclimate.report.preferring import preferring

STAGES = {"train_domain": "Domain adapter", "train_task": "Task adapter", "align": "Preference adapter"}
"""Train stage to what it makes."""


def training(material: Material) -> Section:
    """Loss curves and what they cost in tokens."""
    base = material.report("base", BaseReport)
    reports = {STAGES[stage]: material.report(stage, TrainReport) for stage in ("train_domain", "train_task")}
    aligned = material.report("align", AlignReport)
    trained = {name: report.trained for name, report in reports.items() if isinstance(report, TrainReport)}
    blocks: list[Block] = [*_figures(base, trained), *_base(base)]
    for name, report in reports.items():
        blocks += _adapter(name, report.trained) if isinstance(report, TrainReport) else [report]
    return Section(
        "training",
        "Training",
        "The base model stays as it is; adapters are small sets of weights trained beside it on the mix above: one on "
        "raw text of the domain, one on questions and answers, and one on pairs of a better and a worse answer, where "
        "there are such pairs.",
        (*blocks, *_aligned(aligned), *_composed(material.report("compose", ComposeReport))),
    )


def _figures(base: BaseReport | Missing, trained: dict[str, Trained | None]) -> list[Block]:
    curves = {name: done.loss_curve for name, done in trained.items() if done is not None}
    if isinstance(base, BaseReport) and base.loss_curve:
        curves = {"Base": base.loss_curve, **curves}
    return [_figure(curves)] if curves else []


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


def _adapter(name: str, done: Trained | None) -> list[Block]:
    if done is None:
        return [Note(f"{name}: off in this run.")]
    beside = f"{done.start}, held in four bits (nf4)," if done.base_weights == "nf4" else done.start
    how = "of a copy of" if done.strategy == "full" else "trained beside"
    read = f"{formats.count(done.trained_tokens)} tokens in {formats.count(done.steps)} steps"
    rows = (
        (
            name.lower(),
            f"{formats.strategy(done.strategy)}, {how} the {beside} in {done.precision}",
        ),
        (
            "trainable parameters",
            f"{formats.count(done.trainable_parameters)}, {formats.percent(done.trainable_share)} of all",
        ),
        ("trained on", f"{read}, {formats.decimal(done.epochs, 2)} passes over {formats.count(done.texts)} texts"),
        (
            "learned",
            f"{formats.percent(done.learned_tokens / done.trained_tokens)} of these tokens, the rest only read",
        ),
        ("loss", f"{formats.decimal(done.first_loss)} → {formats.decimal(done.final_loss)}"),
        *_penalty(done),
    )
    repeated = "The texts were too few for the steps and were read more than once."
    halved = f"Memory ran out on the way: from then on {done.rows_at_once} sequences went through the model at once."
    notes = [*([repeated] if done.repeated else []), *([halved] if done.halved else [])]
    return [Facts(rows), *(Note(note, "warning") for note in notes)]


def _aligned(report: AlignReport | Missing) -> list[Block]:
    trained = report.trained if isinstance(report, AlignReport) else None
    return [*(_adapter(STAGES["align"], trained) if trained else []), *preferring(report)]


def _penalty(done: Trained) -> list[tuple[str, str]]:
    if done.penalty is None or done.penalty_cost is None:
        return []
    return [("penalty", f"{done.penalty}; it cost {formats.decimal(done.penalty_cost, 4)} nats per token at the end")]


def _rank(rank: int | None) -> str:
    return "all weights" if rank is None else str(rank)


def _composed(report: ComposeReport | Missing) -> list[Block]:
    if isinstance(report, Missing):
        return [report]
    rows = tuple(
        (STAGES[part.stage], _rank(part.rank), f"{part.weight:g}", part.adapter_sha256[:12]) for part in report.parts
    )
    total = ("the candidate", _rank(report.rank), None, report.adapter_sha256[:12])
    columns = (Column("adapter"), Column("rank", "number"), Column("weight", "number"), Column("SHA-256", "code"))
    held = "exact" if report.kept_share == 1 else f"{formats.percent(report.kept_share)} of the change within the rank"
    apart = f"{report.merged.logits:.1e} over {formats.count(report.merged.tokens)} tokens"
    checks = (
        ("combination", f"{report.combination}; {held}"),
        ("merged against beside", f"logits at most {apart} apart, {report.allowed_difference:g} allowed"),
        ("apart most in", report.merged.layer),
    )
    return [Table("What the candidate is made of", columns, (*rows, total)), Facts(checks)]
