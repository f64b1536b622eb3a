"""Score the quantised model and decide whether it is still the candidate.

    artifacts/evaluate_quantized/       <task>.jsonl, per-item results of the quantised model
    reports/evaluate_quantized.json     verdict, reasons and metrics in the form of gate.json

Every task must keep its share of the candidate's own score: the gate approved that model, not this one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.core.errors import UserError
from acclimate.core.files import read_json
from acclimate.model.compare import Pair, read_rows
from acclimate.model.determinism import fix_randomness
from acclimate.model.rules import Bar, Check, keeps, reasons, verdict
from acclimate.model.score import Summary, score
from acclimate.release.weights import folder_sha256, load_model

if TYPE_CHECKING:
    from acclimate.core.params import CommonParams, EvaluateQuantizedParams, GateParams, ScoreParams

JUDGED = ("domain_cloze", "general_cloze", "domain_bits_per_byte", "general_bits_per_byte")
COMPARED = {"base": "the candidate before quantisation", "candidate": "the quantised candidate", "champion": "nothing"}


@dataclass(frozen=True)
class EvaluateQuantizedReport:
    """The verdict on the quantised model and everything it rests on."""

    verdict: str
    """'promote', 'reject' or 'inconclusive'."""
    reasons: list[str]
    """One sentence per task, losses that are too large first."""
    metrics: dict[str, dict[str, Any]]
    """As in GateReport; `base` is the candidate before quantisation."""
    compared: dict[str, str]
    """What the columns of a metric are."""
    tasks: dict[str, Summary]
    quantized_sha256: str
    """Of the folder that was judged: `package` takes no other."""

    def headline(self) -> str:
        """'promote: domain cloze 0.416 → 0.412, general cloze 0.598 → 0.599, bits per byte 2.61 → 2.62 / …'."""
        shown = {name: f"{metric['base']:.3f} → {metric['candidate']:.3f}" for name, metric in self.metrics.items()}
        per_byte = f"{shown['domain_bits_per_byte']} / {shown['general_bits_per_byte']}"
        cloze = f"domain cloze {shown['domain_cloze']}, general cloze {shown['general_cloze']}"
        return f"{self.verdict}: {cloze}, bits per byte {per_byte}"


def run(
    params: EvaluateQuantizedParams,
    gate: GateParams,
    score_params: ScoreParams,
    common: CommonParams,
    *,
    quantized: Path,
    evaluated: Path,
    evaluation: Path,
    out: Path,
) -> EvaluateQuantizedReport:
    """Score the GPTQ model in `quantized` on `evaluation` and compare it with the results in `evaluated`.

    Raises:
        UserError: if `quantized` holds no GPTQ model, a task has no items, or the two were scored on
            different items.
    """
    _require_gptq(quantized)
    fix_randomness(common)
    candidate = read_rows(evaluated)
    model, tokenizer = load_model(quantized)
    tasks = score(model, tokenizer, evaluation, score_params, out, seed=common.seed)
    scored = read_rows(out)
    pairs = {
        metric: Pair.of(metric, candidate, scored, resamples=gate.resamples, seed=common.seed) for metric in JUDGED
    }
    checks = judge(pairs, params, gate)
    return EvaluateQuantizedReport(
        verdict=verdict(list(checks.values())),
        reasons=reasons(list(checks.values())),
        metrics={metric: pair.describe() | checks[metric].numbers for metric, pair in pairs.items()},
        compared=COMPARED,
        tasks=tasks,
        quantized_sha256=folder_sha256(quantized),
    )


def judge(pairs: dict[str, Pair], params: EvaluateQuantizedParams, gate: GateParams) -> dict[str, Check]:
    """Metric to whether enough of it is kept.

    At alpha itself, not at the candidate's level: a quantised model is made of a candidate that was promoted, and
    cannot come to be released by having lost something. Where the items are too few to show of any model that it
    keeps this much, the point estimate decides.
    """
    sure = Bar(gate.alpha, gate.alpha, gate.power)
    share = params.min_retention
    return {
        metric: keeps(pair, share, sure, rule=metric, bound_decides=pair.can_show(share, gate.alpha))
        for metric, pair in pairs.items()
    }


def _require_gptq(folder: Path) -> None:
    """Raise UserError if the model in `folder` is not quantised: it would pass, and say nothing of 4 bits."""
    config = folder / "config.json"
    settings = read_json(config).get("quantization_config") if config.is_file() else None
    if (settings or {}).get("quant_method") != "gptq":
        raise UserError(
            f"{folder} holds no model quantised with GPTQ",
            why="the verdict would be on another model than the one that is served",
            fix="run `dvc repro quantize`",
        )
