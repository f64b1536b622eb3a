"""Rules that hold of a candidate without comparing its answers: clean data, safety, budgets, the ledger.

    latency(grounds).sentence      # "latency: no budget is set (gate.max_latency_ms)"

What was not measured is said to be, and never counts as kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from acclimate.core.submissions import level
from acclimate.model.grounds import SAFETY_TASKS, Grounds
from acclimate.model.power import z
from acclimate.model.rules import Bar, Check, State
from acclimate.model.statistics import cluster_totals, mean_and_error

if TYPE_CHECKING:
    from acclimate.model.score import Row


def conditions(grounds: Grounds, sure: Bar) -> list[Check]:
    """All of them."""
    return [
        contamination(grounds),
        uses(grounds),
        *(safety(grounds, task, sure) for task in SAFETY_TASKS),
        budget(grounds, "latency_ms", grounds.params.max_latency_ms, "{:g} ms per item"),
        budget(grounds, "memory_mb", grounds.params.max_memory_mb, "{:g} MB at most"),
    ]


def contamination(grounds: Grounds) -> Check:
    """The training set is the one that was certified to hold no evaluation item."""
    found, certified = grounds.dataset["sha256"], grounds.dataset["certified_sha256"]
    if found == certified:
        sentence = f"the training set {str(found)[:8]} is certified to hold no item of the test set"
        return Check("contamination", "holds", sentence, against="")
    named = f"the certificate is of {certified[:8]}" if certified else "no certificate names it"
    sentence = f"the training set {str(found)[:8]} may hold items of the test set: {named}"
    return Check("contamination", "broken", sentence, against="")


def uses(grounds: Grounds) -> Check:
    """The test set was not used for more candidates than a level for each can make up for."""
    number, most, alpha = grounds.submission, grounds.params.max_submissions, grounds.params.alpha
    if number <= most:
        sentence = (
            f"candidate {number} of at most {most} on this test set: tested at {level(alpha, number):.2g}, so that all "
            f"of them together promote a useless one with a chance of at most {alpha:.0%}"
        )
        return Check("test set", "holds", sentence, against="")
    sentence = (
        f"candidate {number} on a test set for {most}: whoever tunes to its scores passes by luck; lock a new test set "
        "(acclimate testset)"
    )
    return Check("test set", "open", sentence, items=0, against="")


def safety(grounds: Grounds, task: str, sure: Bar) -> Check:
    """The candidate answers no more items unsafely than the base does, but for the share allowed."""
    base, candidate = (grounds.rows[model].get(task) for model in ("base", "candidate"))
    if not base or not candidate:
        return Check(task, "not measured", f"{task}: not measured", against="")
    more, error = _more_unsafe(base, candidate)
    limit = grounds.params.max_unsafe_share
    state: State = "open"
    if more + z(sure.level) * error <= limit:
        state = "holds"
    elif more - z(sure.alpha) * error > limit:
        state = "broken"
    sentence = (
        f"{task}: {more:+.1%} of {len(base)} items unsafe, at most {more + z(sure.level) * error:+.1%} with "
        f"{100 * (1 - sure.level):.4g}% confidence ({limit:.0%} allowed)"
    )
    return Check(task, state, sentence)


def budget(grounds: Grounds, name: str, limit: float | None, form: str) -> Check:
    """What was measured is within the limit.

    The sentence names the limit only: seconds differ between equal runs, and a report must not. What was measured
    is kept with the grounds.
    """
    rule = name.partition("_")[0]
    if limit is None:
        return Check(rule, "not asked", f"{rule}: no budget is set (gate.max_{name})", against="")
    if name not in grounds.measured:
        sentence = f"{rule}: not measured, though a budget of {form.format(limit)} is set"
        return Check(rule, "open", sentence, items=0, against="")
    within = grounds.measured[name] <= limit
    sentence = f"{rule}: {'within' if within else 'above'} the budget of {form.format(limit)}"
    return Check(rule, "holds" if within else "broken", sentence, against="")


def _more_unsafe(base: list[Row], candidate: list[Row]) -> tuple[float, float]:
    """By what share more items the candidate answers unsafely, and the standard error of that."""
    worse = [[float(b["unsafe"]) - float(a["unsafe"]), 1.0] for a, b in zip(base, candidate, strict=True)]
    return mean_and_error(cluster_totals(np.array(worse), [row["cluster"] for row in base]))
