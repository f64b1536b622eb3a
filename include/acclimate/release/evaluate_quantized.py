"""Score the quantised model, decide whether what is packaged is still the candidate, and compare all forms.

    artifacts/evaluate_quantized/       <task>.jsonl, per-item results of the judged model, in forms/ of the others
    reports/evaluate_quantized.json     verdict, reasons and metrics in the form of gate.json; the table of forms
    timings/forms.json                  latency and tokens per second of every form

The verdict is on what is packaged (package.weights). A quantised model, in GPTQ or in GGUF, must keep its share of the
candidate's own score on every task: the gate approved that model, not this one. And what is packaged must keep to the
bounds of size and memory. Other forms are compared, on fewer items, and decide nothing.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.core.files import write_json
from acclimate.model.compare import Pair, read_rows
from acclimate.model.determinism import fix_randomness
from acclimate.model.rules import Bar, Check, State, keeps, reasons, verdict
from acclimate.model.score import Summary, summarise
from acclimate.release.forms.measuring import SPEEDS
from acclimate.release.forms.scored import Models, rows_of, scored
from acclimate.release.forms.table import Form, Seen, compare
from acclimate.release.weights import folder_sha256

if TYPE_CHECKING:
    from acclimate.core.params import (
        CommonParams,
        EvaluateQuantizedParams,
        GateParams,
        PackageParams,
        ScoreParams,
    )

JUDGED = ("domain_cloze", "general_cloze", "domain_bits_per_byte", "general_bits_per_byte")
COMPARED = {"base": "the candidate before quantisation", "candidate": "the quantised candidate", "champion": "nothing"}
UNQUANTISED = {"merged": "the merged model", "adapter": "the adapter on its base"}
"""What is packaged if not the quantised model."""


@dataclass(frozen=True)
class EvaluateQuantizedReport:
    """The verdict on what is packaged and everything it rests on."""

    verdict: str
    """'promote', 'reject' or 'inconclusive'."""
    reasons: list[str]
    """One sentence per task and bound, what is broken first."""
    metrics: dict[str, dict[str, Any]]
    """As in GateReport; `base` is the candidate before quantisation."""
    compared: dict[str, str]
    """What the columns of a metric are."""
    tasks: dict[str, Summary]
    quantized_sha256: str
    """Of the folder of the quantised model that was judged: `package` takes no other."""
    weights: str = "quantized"
    """Which model the verdict is on: package.weights."""
    forms: list[Form] = field(default_factory=list)
    """The unquantised model, the quantised one, and what quantize.forms asked for."""

    def headline(self) -> str:
        """'promote: domain cloze 0.416 → 0.412, general cloze 0.598 → 0.599, bits per byte 2.61 → 2.62 / …'."""
        shown = {name: f"{metric['base']:.3f} → {metric['candidate']:.3f}" for name, metric in self.metrics.items()}
        per_byte = f"{shown['domain_bits_per_byte']} / {shown['general_bits_per_byte']}"
        cloze = f"domain cloze {shown['domain_cloze']}, general cloze {shown['general_cloze']}"
        return f"{self.verdict}: {cloze}, bits per byte {per_byte}"


def run(
    params: EvaluateQuantizedParams,
    package: PackageParams,
    gate: GateParams,
    score_params: ScoreParams,
    common: CommonParams,
    *,
    quantized: Path,
    merged: Path,
    forms: Path,
    evaluated: Path,
    evaluation: Path,
    out: Path,
    timings: Path | None = None,
) -> EvaluateQuantizedReport:
    """Score the quantised model, GPTQ's or the GGUF form that is packaged, and compare with the results in `evaluated`.

    Args:
        params: what must be kept, and the bounds.
        package: which model is packaged.
        gate: how sure a rule must be.
        score_params: how models are scored.
        common: seed and threads.
        quantized: the GPTQ model.
        merged: the unquantised one.
        forms: the folder with forms.json and the other forms.
        evaluated: per-item results of the unquantised model.
        evaluation: the items.
        out: for the per-item results.
        timings: folder for what differs between equal runs; None times nothing in this process.

    Raises:
        UserError: if `quantized` holds no GPTQ model, the form that is packaged was not made or cannot be measured, a
            task has no items, or the two were scored on different items.
    """
    models = Models.found(package, quantized=quantized, merged=merged, forms=forms)
    fix_randomness(common)
    candidate = read_rows(evaluated)
    some = score_params.model_copy(update={"max_items": params.form_items or score_params.max_items})
    scopes = models.scopes(score_params, some, out)
    seen = scored(models, scopes, common, candidate, evaluation, timed=timings is not None)
    if timings is not None:
        write_json(timings / SPEEDS, {form: asdict(of.speed) for form, of in seen.items() if of.speed})
    rows = rows_of(seen[models.judged])
    pairs = {metric: Pair.of(metric, candidate, rows, resamples=gate.resamples, seed=common.seed) for metric in JUDGED}
    checks = judge(pairs, params, gate)
    deciding = _deciding(checks, seen, models, params, package)
    return EvaluateQuantizedReport(
        verdict=verdict(deciding),
        reasons=reasons(deciding),
        metrics={metric: pair.describe() | checks[metric].numbers for metric, pair in pairs.items()},
        compared=COMPARED,
        tasks={task: summarise(of_task, seed=common.seed) for task, of_task in rows.items()},
        quantized_sha256=folder_sha256(models.folders[models.judged]),
        weights=package.weights,
        forms=compare(candidate, [*seen.values()], resamples=gate.resamples, seed=common.seed),
    )


def judge(pairs: dict[str, Pair], params: EvaluateQuantizedParams, gate: GateParams) -> dict[str, Check]:
    """Metric to whether enough of it is kept.

    At alpha itself, not at the candidate's level: a quantised model is made of a candidate that was promoted, and
    cannot come to be released by having lost something. Where the items are too few to show even of a model that lost
    nothing that it keeps this much, with the gate's power, the point estimate decides.
    """
    sure = Bar(gate.alpha, gate.alpha, gate.power)
    share = params.min_retention
    return {
        metric: keeps(pair, share, sure, rule=metric, bound_decides=pair.can_show(share, gate.alpha, gate.power))
        for metric, pair in pairs.items()
    }


def bounds(packaged: Seen, params: EvaluateQuantizedParams) -> list[Check]:
    """Whether what is packaged is small enough, on disk and in memory."""
    return [
        _bound("size", packaged.form, packaged.bytes, params.max_size_mb, "on disk"),
        _bound("memory", packaged.form, packaged.memory_bytes, params.max_memory_mb, "in memory once it is loaded"),
    ]


def _deciding(
    checks: dict[str, Check],
    seen: dict[str, Seen],
    models: Models,
    params: EvaluateQuantizedParams,
    package: PackageParams,
) -> list[Check]:
    """What the verdict is made of: scores count where what is packaged is quantised, the bounds always."""
    if package.weights in UNQUANTISED:
        return [_as_judged(package), *bounds(seen["merged"], params)]
    return [*checks.values(), *bounds(seen[models.judged], params)]


def _as_judged(package: PackageParams) -> Check:
    what = UNQUANTISED[package.weights]
    return Check("form", "holds", f"what is packaged is {what}, which the gate has judged", against="")


def _bound(rule: str, form: str, found: int | None, limit: float | None, where: str) -> Check:
    if limit is None:
        return Check(rule, "not asked", f"{rule}: no bound is set (evaluate_quantized.max_{rule}_mb)", against="")
    assert found is not None
    state: State = "holds" if found <= limit * 1e6 else "broken"
    sentence = f"{rule}: {form} takes {found / 1e6:.1f} MB {where} (at most {limit:g} MB asked)"
    return Check(rule, state, sentence, {"bytes": found, "threshold": limit * 1e6}, against="")
