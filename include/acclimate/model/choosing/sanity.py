"""Whether a public task gives the score that was published for it: that base, tokenizer and engine are what they seem.

sanity_run(model, tokenizer, params.sanity, scoring, folder=Path("inputs/tasks"), out=out, seed=1729)
# Sanity(verdict="as published", said="arc_easy acc 0.391 [0.372, 0.411] of 2,376 items; published 0.395", …)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from acclimate.core.errors import UserError
from acclimate.core.files import write_jsonl
from acclimate.model.device import on_device
from acclimate.model.scoring.estimates import Estimate, estimate
from acclimate.model.scoring.public_tasks import data_missing, run_public

if TYPE_CHECKING:
    from acclimate.core.params import SanityParams, ScoreParams

Verdict = Literal["as published", "not as published", "undecided", "not run"]


@dataclass(frozen=True)
class Sanity:
    """What a public task says of the base."""

    task: str
    metric: str
    published: float
    tolerance: float
    measured: Estimate | None
    verdict: Verdict
    said: str


def sanity_run(
    model: Any, tokenizer: Any, params: SanityParams, scoring: ScoreParams, *, folder: Path, out: Path, seed: int
) -> Sanity:
    """Score the task, and compare; without its data nothing is run, and that is said.

    Args:
        model: a transformers causal language model in evaluation mode.
        tokenizer: its tokenizer.
        params: the task, its metric, and what was published.
        scoring: batch size, and how many items.
        folder: with the YAML of tasks of one's own.
        out: where <task>.jsonl goes.
        seed: of the interval.

    Raises:
        UserError: if there is no such task, it consists of several, or it has no such metric.
    """
    if missing := data_missing(params.task, folder):
        return _sanity(params, None, "not run", f"{params.task}: its data is not at hand ({missing})")
    size, limit = scoring.batch_items, scoring.max_items
    found = run_public(on_device(model), tokenizer, [params.task], folder, batch_items=size, max_items=limit)
    rows = found.get(params.task, [])
    if not rows or params.metric not in rows[0]:
        has = ", ".join(sorted(name for name in rows[0] if name not in ("id", "cluster"))) if rows else "other tasks"
        raise UserError(
            f"baseline.sanity asks for {params.metric} of {params.task}, which has {has}",
            why="there is nothing to compare the published score with",
            fix="name one task, and a metric that it has, in baseline.sanity",
        )
    write_jsonl(out / f"{params.task}.jsonl", rows)
    measured = estimate([row[params.metric] for row in rows], [row["cluster"] for row in rows], seed=seed)
    said = (
        f"{params.task} {params.metric} {measured.value:.3f} [{measured.low:.3f}, {measured.high:.3f}] of "
        f"{measured.n:,} items; published {params.published:.3f}, {params.tolerance:g} either way allowed"
    )
    return _sanity(params, measured, _verdict(params, measured), said)


def _verdict(params: SanityParams, measured: Estimate) -> Verdict:
    """Undecided if only the interval, not the value, comes near enough: more items would tell."""
    low, high = params.published - params.tolerance, params.published + params.tolerance
    if low <= measured.value <= high:
        return "as published"
    return "undecided" if measured.low <= high and measured.high >= low else "not as published"


def _sanity(params: SanityParams, measured: Estimate | None, verdict: Verdict, said: str) -> Sanity:
    return Sanity(params.task, params.metric, params.published, params.tolerance, measured, verdict, said)
