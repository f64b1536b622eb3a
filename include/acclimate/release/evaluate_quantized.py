"""Score the quantised model, decide whether what is packaged is still the candidate, and compare all forms.

    artifacts/evaluate_quantized/       <task>.jsonl, per-item results of the judged model, in forms/ of the others
    reports/evaluate_quantized.json     verdict, reasons and metrics in the form of gate.json; the table of forms
    timings/forms.json                  latency and tokens per second of every form

The verdict is on what is packaged (package.weights). A quantised model, in GPTQ or in GGUF, must keep its share of the
candidate's own score on every task: the gate approved that model, not this one. And what is packaged must keep to the
bounds of size and memory. Other forms are compared, on fewer items, and decide nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.core.errors import UserError
from acclimate.core.files import read_json, read_jsonl, write_json
from acclimate.model.compare import Pair, Rows, read_rows
from acclimate.model.determinism import fix_randomness
from acclimate.model.device import on_device
from acclimate.model.harness import language_model
from acclimate.model.rules import Bar, Check, State, keeps, reasons, verdict
from acclimate.model.score import CLOZE_TASKS, TASKS, Summary, score_with, summarise
from acclimate.release.forms.apart import Failed
from acclimate.release.forms.made import FORMS, Made
from acclimate.release.forms.measuring import SPEEDS, Cost, measure_apart, model_speed, weights_in_memory
from acclimate.release.forms.table import Form, Seen, compare
from acclimate.release.weights import folder_sha256, load_model, weight_bytes

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
class Scope:
    """On what a form is scored, and where its rows go."""

    params: ScoreParams
    tasks: Sequence[str]
    out: Path

    def rows(self) -> Rows:
        """What was found."""
        return {task: read_jsonl(self.out / f"{task}.jsonl") for task in self.tasks}


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
    gptq = f"gptq-{_bits(quantized)}"
    made = [Made(**of) for of in read_json(forms / FORMS)]
    judged = package.weights if package.is_gguf else gptq
    folders = {gptq: quantized, **{of.form: forms / of.form for of in made}}
    if judged != gptq:
        _require_made(judged, made)
    fix_randomness(common)
    candidate = read_rows(evaluated)
    some = score_params.model_copy(update={"max_items": params.form_items or score_params.max_items})
    scopes = {form: Scope(some, CLOZE_TASKS, out / "forms" / form) for form in folders} | {
        judged: Scope(score_params, TASKS, out)
    }
    before = _cost(*load_model(merged), evaluation, timed=timings is not None)
    seen = [
        Seen("merged", weight_bytes(merged), before.memory_bytes, candidate, speed=before.speed),
        _score(gptq, quantized, scopes[gptq], common, evaluation, timed=timings is not None),
        *(_measure(of, forms, scopes[of.form], common, merged=merged, evaluation=evaluation) for of in made),
    ]
    if timings is not None:
        write_json(timings / SPEEDS, {of.form: asdict(of.speed) for of in seen if of.speed})
    named = {of.form: of for of in seen}
    scored = _rows_of(named[judged])
    pairs = {
        metric: Pair.of(metric, candidate, scored, resamples=gate.resamples, seed=common.seed) for metric in JUDGED
    }
    checks = judge(pairs, params, gate)
    as_trained = package.weights in UNQUANTISED
    deciding = [
        *([_as_judged(package)] if as_trained else checks.values()),
        *bounds(named["merged" if as_trained else judged], params),
    ]
    return EvaluateQuantizedReport(
        verdict=verdict(deciding),
        reasons=reasons(deciding),
        metrics={metric: pair.describe() | checks[metric].numbers for metric, pair in pairs.items()},
        compared=COMPARED,
        tasks={task: summarise(rows, seed=common.seed) for task, rows in scored.items()},
        quantized_sha256=folder_sha256(folders[judged]),
        weights=package.weights,
        forms=compare(candidate, seen, resamples=gate.resamples, seed=common.seed),
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


def _cost(model: Any, tokenizer: Any, evaluation: Path, *, timed: bool) -> Cost:
    return Cost(weights_in_memory(model), model_speed(model, tokenizer, evaluation) if timed else None)


def _score(form: str, folder: Path, scope: Scope, common: CommonParams, evaluation: Path, *, timed: bool) -> Seen:
    """What there is to show of the GPTQ model, which is scored in this process."""
    model, tokenizer = load_model(folder)
    cost = _cost(model, tokenizer, evaluation, timed=timed)
    lm = language_model(on_device(model), tokenizer, scope.params.batch_items)
    score_with(lm, evaluation, scope.params, scope.out, seed=common.seed, names=scope.tasks)
    return Seen(form, weight_bytes(folder), cost.memory_bytes, scope.rows(), speed=cost.speed)


def _measure(made: Made, forms: Path, scope: Scope, common: CommonParams, *, merged: Path, evaluation: Path) -> Seen:
    """What there is to show of another form; a failure, in making or in measuring, is shown too."""
    if made.failure is not None:
        return Seen(made.form, None, failure=made.failure)
    found = measure_apart(
        made.form,
        forms / made.form,
        scope.params,
        common,
        tokenizer=merged,
        evaluation=evaluation,
        out=scope.out,
        tasks=scope.tasks,
    )
    if isinstance(found, Failed):
        return Seen(made.form, made.bytes, storage=made.storage, failure=found.reason)
    return Seen(made.form, made.bytes, found.memory_bytes, scope.rows(), made.storage, found.speed)


def _rows_of(packaged: Seen) -> Rows:
    """Of the form that is judged; raises UserError if it could not be measured: there is nothing to decide on."""
    if packaged.rows is None:
        raise _nothing_to_judge(packaged.form, f"could not be measured: {packaged.failure}")
    return packaged.rows


def _require_made(form: str, made: list[Made]) -> None:
    found = next((of for of in made if of.form == form), None)
    if found is None or found.failure is not None:
        raise _nothing_to_judge(form, f"was not made: {found.failure}" if found else "was not made")


def _nothing_to_judge(form: str, what: str) -> UserError:
    return UserError(
        f"{form}, which package.weights names, {what}",
        why="only what was judged may be served",
        fix="set package.weights to another form, or run `dvc repro quantize` with this one among quantize.forms",
    )


def _bits(folder: Path) -> int:
    """Of the GPTQ model in `folder`; raises UserError if that is not quantised: it would pass, and say nothing."""
    config = folder / "config.json"
    settings = (read_json(config).get("quantization_config") if config.is_file() else None) or {}
    if settings.get("quant_method") != "gptq":
        raise UserError(
            f"{folder} holds no model quantised with GPTQ",
            why="the verdict would be on another model than the one that is served",
            fix="run `dvc repro quantize`",
        )
    return int(settings["bits"])
