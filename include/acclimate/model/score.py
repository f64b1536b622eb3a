"""Scoring a model with lm-eval: term cloze and bits per byte, on domain and on general text.

    score(model, tokenizer, Path("artifacts/split/evaluation"), params, out, seed=1729)
    # {"domain_cloze": {"n": 800, "clusters": 312, "accuracy": 0.303, "interval": [0.272, 0.335]}, …}

One row per item is kept in <out>/<task>.jsonl, in item order, for paired comparison:

    {"id": "39e0…:871", "cluster": "sklearn.linearregression", "label": 3, "choice": 3, "correct": true,
     "log_likelihoods": [-81.2071, -79.9312, -80.1148, -76.5203]}
    {"id": "5d93…", "cluster": "scipy.expected_freq", "log_likelihood": -1544.1085, "bytes": 912}

A cloze item is answered with the term that makes term + right context most likely given the left
context; no length normalisation is needed because what follows the term is the same for all four.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from acclimate.core.errors import UserError
from acclimate.core.files import read_jsonl, write_jsonl
from acclimate.model.device import on_device
from acclimate.model.harness import language_model
from acclimate.model.scoring.lm_tasks import Item, Task, choice_row, run
from acclimate.model.statistics import bootstrap_totals, cluster_totals, percentile_interval, wilson_interval

if TYPE_CHECKING:
    from lm_eval.api.model import LM

    from acclimate.core.params import ScoreParams

CLOZE_TASKS = ("domain_cloze", "general_cloze")
TEXT_TASKS = ("domain_text", "general_text")
TASKS = (*CLOZE_TASKS, *TEXT_TASKS)

FACTS = "evaluated.json"
"""Beside the rows of candidate and champion: which two they are, by hash."""

INTERVAL_RESAMPLES = 2000
"""Of the bootstrap behind the interval of bits per byte; Efron & Tibshirani 1993 ask for 1,000 or more."""

Row = dict[str, Any]
Summary = dict[str, Any]


def score(
    model: Any, tokenizer: Any, evaluation: Path, params: ScoreParams, out: Path, *, seed: int
) -> dict[str, Summary]:
    """Score `model` on the four tasks in `evaluation`, write one row per item, and sum them up per task.

    Args:
        model: a transformers causal language model in evaluation mode; it is moved to the GPU if there is one.
        tokenizer: its tokenizer.
        evaluation: directory with {domain,general}_{cloze,text}.jsonl.
        params: batch size, and how many items of each task.
        out: directory for <task>.jsonl.
        seed: of the bootstrap interval of bits per byte.

    Raises:
        UserError: if a task has no items, or the tokenizer has no token to begin a text with.
    """
    return score_with(
        language_model(on_device(model), tokenizer, params.batch_items), evaluation, params, out, seed=seed
    )


def score_with(
    lm: LM, evaluation: Path, params: ScoreParams, out: Path, *, seed: int, names: Sequence[str] = TASKS
) -> dict[str, Summary]:
    """`score` of any model behind lm-eval's interface (harness.py), on the tasks of these names."""
    tasks = [
        Task(name, "choices" if name in CLOZE_TASKS else "text", _items(evaluation, name, params)) for name in names
    ]
    answers = run(lm, tasks)
    summaries = {}
    for task in tasks:
        row = choice_row if task.form == "choices" else _text_row
        rows = [row(item, answer) for item, answer in zip(task.items, answers[task.name], strict=True)]
        write_jsonl(out / f"{task.name}.jsonl", rows)
        summaries[task.name] = summarise(rows, seed=seed)
    return summaries


def summarise(rows: list[Row], *, seed: int) -> Summary:
    """Number of items and clusters, and accuracy or bits per byte with its 95 % interval."""
    clusters = [row["cluster"] for row in rows]
    counts = {"n": len(rows), "clusters": len(set(clusters))}
    if "correct" in rows[0]:
        correct = sum(row["correct"] for row in rows)
        low, high = wilson_interval(correct, len(rows))
        return {**counts, "accuracy": round(correct / len(rows), 6), "interval": [round(low, 6), round(high, 6)]}
    sums = cluster_totals(np.array([[bits(row), row["bytes"]] for row in rows]), clusters)
    drawn = bootstrap_totals(sums, resamples=INTERVAL_RESAMPLES, seed=seed)
    low, high = percentile_interval(drawn[:, 0] / drawn[:, 1])
    value = sums[:, 0].sum() / sums[:, 1].sum()
    return {**counts, "bits_per_byte": round(float(value), 6), "interval": [round(low, 6), round(high, 6)]}


def bits(row: Row) -> float:
    """Bits the model needs to write the text of a row of a text task."""
    return float(-row["log_likelihood"] / math.log(2))


def headline(summaries: dict[str, Summary]) -> str:
    """'domain cloze 0.303 (n=800), general cloze 0.620 (n=800), 2.91 / 2.02 bits per byte'."""
    cloze = [
        f"{name.replace('_', ' ')} {summaries[name]['accuracy']:.3f} (n={summaries[name]['n']})" for name in CLOZE_TASKS
    ]
    per_byte = " / ".join(f"{summaries[name]['bits_per_byte']:.2f}" for name in TEXT_TASKS)
    return f"{', '.join(cloze)}, {per_byte} bits per byte"


def _items(evaluation: Path, task: str, params: ScoreParams) -> list[Row]:
    path = evaluation / f"{task}.jsonl"
    rows = read_jsonl(path)[: params.max_items] if path.exists() else []
    if not rows:
        raise UserError(
            f"{path} has no items",
            why=f"there is nothing to measure {task} with",
            fix="run `dvc repro split`; with few items in its report, add documents or raise split.test_share",
        )
    return rows


def _text_row(item: Item, log_likelihood: float) -> Row:
    return {
        "id": item["id"],
        "cluster": item["cluster"],
        "log_likelihood": round(log_likelihood, 4),
        "bytes": len(item["text"].encode()),
    }
