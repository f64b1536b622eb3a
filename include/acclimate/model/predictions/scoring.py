"""Scores of stored predictions: of all, of what could be read, and by slice.

    report, rows = score_answers(answers, "mmlu_pro", seed=1729)
    report.metrics["accuracy"]      # Estimate(value=0.612, low=0.571, high=0.652, n=570, clusters=570)

Accuracy counts an unparsed answer as wrong, as the published scores do; `accuracy of parsed` leaves it out. Balanced
accuracy, the mean recall over the labels, is what LegalBench reports (Guha et al. 2023, section 5.1), macro-F1 what
PubMedQA reports beside accuracy (Jin et al. 2019, section 5.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from acclimate.model.predictions.joining import Answer
from acclimate.model.predictions.rules import RULES, TEXT
from acclimate.model.scoring.answers import METRICS, measure
from acclimate.model.scoring.estimates import Estimate, estimate
from acclimate.model.scoring.overlap import corpus_bleu

Row = dict[str, Any]
Metrics = dict[str, Estimate]


@dataclass(frozen=True)
class ScoreReport:
    """What stored predictions are worth."""

    rule: str
    source: str
    """Where the rule is from."""
    n: int
    unparsed: int
    metrics: Metrics
    """Metric to its mean over all items, with the 95 % interval."""
    whole: dict[str, float]
    """Metrics of all predictions together, which are no mean of items."""
    slices: dict[str, dict[str, Metrics]]
    """Slice to its values to their metrics."""

    def headline(self) -> str:
        """'570 predictions, 4 unparsed; accuracy 0.612 [0.571, 0.652]'."""
        name, of = next(iter(self.metrics.items()))
        scored = f"{name} {of.value:.3f} [{of.low:.3f}, {of.high:.3f}]"
        return f"{self.n:,} predictions, {self.unparsed:,} unparsed; {scored}"


def score_answers(answers: Sequence[Answer], rule: str, *, seed: int) -> tuple[ScoreReport, list[Row]]:
    """The scores of `answers` read by `rule`, and what was made of each.

    Args:
        answers: at least one.
        rule: a key of RULES.
        seed: of the bootstrap intervals.
    """
    rows = _texts(answers) if rule == TEXT else _choices(answers, rule)
    names = sorted({name for answer in answers for name in answer.slices})
    slices = {name: _by_value(rows, [answer.slices[name] for answer in answers], seed) for name in names}
    report = ScoreReport(
        rule=rule,
        source=RULES[rule].source,
        n=len(rows),
        unparsed=sum(row["parsed"] is None for row in rows),
        metrics=_metrics(rows, seed),
        whole=_whole_of_texts(answers) if rule == TEXT else _whole_of_labels(rows),
        slices=slices,
    )
    return report, rows


def _choices(answers: Sequence[Answer], rule: str) -> list[Row]:
    """One row per answer: what was read, what is right, and whether they are the same."""
    of, rows = RULES[rule], []
    known = sorted({of.reference(reference) for answer in answers for reference in answer.references})
    for answer in answers:
        right = [of.reference(reference) for reference in answer.references]
        parsed = of.read(answer.prediction, answer.labels or known)
        scores = {"accuracy": float(parsed in right)}
        rows.append({"id": answer.id, "cluster": answer.cluster, "parsed": parsed, "right": right, "scores": scores})
    return rows


def _texts(answers: Sequence[Answer]) -> list[Row]:
    """One row per answer: every metric against the reference that suits it best, as SQuAD takes the best."""
    pairs = [(n, reference) for n, answer in enumerate(answers) for reference in answer.references]
    measured = measure([answers[n].prediction for n, _ in pairs], [reference for _, reference in pairs], **_TFIDF)
    best: list[dict[str, float]] = [{} for _ in answers]
    for (n, _), values in zip(pairs, measured, strict=True):
        best[n] = {name: max(best[n].get(name, value), value) for name, value in values.items()}
    return [
        {
            "id": answer.id,
            "cluster": answer.cluster,
            "parsed": RULES[TEXT].read(answer.prediction, ()),
            "right": list(answer.references),
            "scores": {name: round(best[n][name], 6) for name in METRICS},
        }
        for n, answer in enumerate(answers)
    ]


_TFIDF = {"embedder": "tfidf", "dial": "score.embedder"}
"""Similarity without a model; an encoder's would depend on which one is at hand."""


def _metrics(rows: Sequence[Row], seed: int) -> Metrics:
    metrics = _means(rows, seed)
    parsed = [row for row in rows if row["parsed"] is not None]
    if "accuracy" in metrics and parsed:
        metrics["accuracy of parsed"] = _means(parsed, seed)["accuracy"]
    metrics["unparsed"] = estimate([float(row["parsed"] is None) for row in rows], _clusters(rows), seed=seed)
    return metrics


def _means(rows: Sequence[Row], seed: int) -> Metrics:
    return {
        name: estimate([row["scores"][name] for row in rows], _clusters(rows), seed=seed) for name in rows[0]["scores"]
    }


def _clusters(rows: Sequence[Row]) -> list[str]:
    return [row["cluster"] for row in rows]


def _by_value(rows: Sequence[Row], values: Sequence[str], seed: int) -> dict[str, Metrics]:
    by_value: dict[str, list[Row]] = {}
    for row, value in sorted(zip(rows, values, strict=True), key=lambda pair: pair[1]):
        by_value.setdefault(value, []).append(row)
    return {value: _metrics(some, seed) for value, some in by_value.items()}


def _whole_of_texts(answers: Sequence[Answer]) -> dict[str, float]:
    """BLEU of the corpus, against the first reference of each."""
    bleu = corpus_bleu([answer.prediction for answer in answers], [answer.references[0] for answer in answers])
    return {"corpus_bleu": round(bleu, 6)}


def _whole_of_labels(rows: Sequence[Row]) -> dict[str, float]:
    """Balanced accuracy and macro-F1 over the labels that are right somewhere; not where an item has several."""
    if any(len(row["right"]) > 1 for row in rows):
        return {}
    pairs = [(row["right"][0], row["parsed"]) for row in rows]
    recalls, f1s = [], []
    for label in sorted({right for right, _ in pairs}):
        hits = sum(right == parsed == label for right, parsed in pairs)
        expected = sum(right == label for right, _ in pairs)
        predicted = sum(parsed == label for _, parsed in pairs)
        recalls.append(hits / expected)
        f1s.append(2 * hits / (expected + predicted))
    return {
        "balanced_accuracy": round(sum(recalls) / len(recalls), 6),
        "macro_f1": round(sum(f1s) / len(f1s), 6),
    }
