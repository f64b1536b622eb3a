"""The top of the page: domain, verdict, one paragraph in plain words and the key figures."""

from __future__ import annotations

from collections.abc import Iterator

from acclimate.data.ingest import IngestReport
from acclimate.data.mix import MixReport
from acclimate.model.align import AlignReport
from acclimate.model.base import BaseReport
from acclimate.model.compose import ComposeReport
from acclimate.model.training.report import Trained, TrainReport
from acclimate.release.quantize import QuantizeReport
from acclimate.report import formats
from acclimate.report.blocks import Header, Mark, Missing, Tile, Tone
from acclimate.report.decision import Decision, verdict_mark
from acclimate.report.freshness import UNRECORDED, states
from acclimate.report.material import Material

DOMAIN, GENERAL = "domain_cloze", "general_cloze"
"""The metrics a reader is told first."""


def header(material: Material) -> Header:
    """What was adapted to what, and how that went."""
    gate = material.report("gate", Decision)
    domain = str(material.params.get("ingest", {}).get("domain", "no domain"))
    return Header(
        formats.words(domain),
        _subtitle(material),
        Mark("not yet decided") if isinstance(gate, Missing) else verdict_mark(gate.verdict),
        " ".join(_sentences(material, formats.words(domain), gate)),
        tuple(_tiles(material, gate)),
    )


def _subtitle(material: Material) -> str:
    git = material.git
    if git.commit is None:
        return "not in git"
    changed = f", {len(git.changed)} files changed since" if git.changed else ""
    return f"commit {git.commit[:10]} of {str(git.committed)[:10]}{changed}"


def _sentences(material: Material, domain: str, gate: Decision | Missing) -> Iterator[str]:
    """The story of the run as far as it has got."""
    ingest, mix = material.report("ingest", IngestReport), material.report("mix", MixReport)
    base, composed = material.report("base", BaseReport), material.report("compose", ComposeReport)
    if isinstance(mix, MixReport):
        read = (
            f", chosen from {formats.count(ingest.funnel.records_in)} records read"
            if isinstance(ingest, IngestReport)
            else ""
        )
        yield f"The training set for {domain} holds {formats.size(mix.bytes)} of text{read}."
    if isinstance(composed, ComposeReport) and isinstance(base, BaseReport):
        yield from _adapters(material, composed, base.model)
    if isinstance(gate, Missing):
        yield "Whether it may be released has not been decided."
        return
    yield from _comparison(gate)
    yield "It passed the gate." if gate.verdict == "promote" else f"It did not pass the gate. {gate.sentence}"
    quantised = material.report("evaluate_quantized", Decision)
    if isinstance(quantised, Decision):
        passed = "passed its own gate" if quantised.verdict == "promote" else "did not pass its own gate"
        yield f"Its quantised form {passed}."
    outdated = [stage for stage, problem in states(material).items() if problem not in ("", UNRECORDED)]
    if outdated:
        yield f"What is shown of {', '.join(outdated)} is not from this run: see Lineage."


_LEARNED = {"train_domain": "the domain's texts", "train_task": "how its questions are answered"}
"""What the adapter of a stage is for."""


def _adapters(material: Material, composed: ComposeReport, base: str) -> Iterator[str]:
    """What was trained on the training set."""
    stages = [part.stage for part in composed.parts]
    reports = {stage: material.report(stage, TrainReport) for stage in stages if stage in _LEARNED}
    trained = [
        f"{_LEARNED[stage]} ({_what_was_trained(report.trained)})"
        for stage, report in reports.items()
        if isinstance(report, TrainReport) and report.trained
    ]
    if trained:
        yield f"Beside the base model {base}, which stays as it is, it was used to learn {' and '.join(trained)}."
    aligned = material.report("align", AlignReport)
    if isinstance(aligned, AlignReport) and aligned.held_out and "align" in stages:
        margin = formats.signed(aligned.held_out.margin)
        yield f"Then pairs of answers tuned it to the better ones: a reward margin of {margin} on held-out pairs."


def _what_was_trained(done: Trained) -> str:
    weights = formats.count(done.trainable_parameters)
    return (
        f"all {weights} weights, in a copy"
        if done.strategy == "full"
        else (f"a {formats.strategy(done.strategy)} adapter of {weights} weights")
    )


def _comparison(gate: Decision) -> Iterator[str]:
    if DOMAIN in gate.metrics:
        of = gate.metrics[DOMAIN]
        yield (
            f"Asked {formats.count(of.n)} questions about held-out documents of the domain, the adapted model answers "
            f"{formats.percent(of.candidate)} right where the base answers {formats.percent(of.base)}."
        )
    if GENERAL in gate.metrics:
        of = gate.metrics[GENERAL]
        yield (
            f"On general text it answers {formats.percent(of.candidate)} right, the base {formats.percent(of.base)}."
        )


def _tiles(material: Material, gate: Decision | Missing) -> Iterator[Tile]:
    if isinstance(gate, Decision):
        yield from _score_tiles(gate)
    mix, quantize = material.report("mix", MixReport), material.report("quantize", QuantizeReport)
    if isinstance(mix, MixReport):
        yield Tile("Training set", formats.size(mix.bytes), f"{formats.count(mix.records)} records")
    if isinstance(quantize, QuantizeReport):
        sizes = f"{formats.size(quantize.merged_bytes)} at full precision"
        yield Tile(f"Size at {quantize.bits} bits", formats.size(quantize.quantized_bytes), sizes)


def _score_tiles(gate: Decision) -> Iterator[Tile]:
    for metric, label in ((DOMAIN, "Domain questions right"), (GENERAL, "General questions right")):
        if metric in gate.metrics:
            of = gate.metrics[metric]
            tone: Tone = "neutral" if of.passed is None else "good" if of.passed else "bad"
            change = f"{formats.signed(100 * of.difference, 1)} points against the base"
            yield Tile(label, f"{formats.percent(of.base)} → {formats.percent(of.candidate)}", change, tone)
