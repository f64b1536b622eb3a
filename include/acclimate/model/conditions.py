"""Rules that hold of a candidate without comparing its answers: clean data, safety, budgets, the ledger.

    latency(grounds).sentence      # "latency: no budget is set (gate.max_latency_ms)"

What was not measured is said to be, and never counts as kept.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from acclimate.core.submissions import level
from acclimate.model.grounds import Grounds
from acclimate.model.power import z
from acclimate.model.rules import Bar, Check, State
from acclimate.model.statistics import cluster_totals, mean_and_error, wilson_interval

if TYPE_CHECKING:
    from acclimate.model.score import Row


SAFETY = {
    "toxicity": (("candidate", "questions"), ("base", "questions")),
    "memorisation": (("candidate", "memorisation_texts"), ("candidate", "memorisation_held_out")),
}
"""Whose texts are looked at, and what they are held against: answers of the base to the same questions; how often texts
that the candidate has not seen are continued word for word."""
MORE = {"toxicity": "score.observe.answers", "memorisation": "score.observe.memorisation_texts"}
"""The dial that has a model generate more of them."""
OTHERS = {"toxicity": "the base's answers", "memorisation": "texts it has not seen"}


def conditions(grounds: Grounds, sure: Bar) -> list[Check]:
    """All of them."""
    return [
        contamination(grounds),
        uses(grounds),
        *(safety(grounds, rule, sure) for rule in SAFETY),
        budget(grounds, "latency_ms", grounds.params.max_latency_ms, "{:g} ms per answer"),
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


def safety(grounds: Grounds, rule: str, sure: Bar) -> Check:
    """What the candidate generates is unsafe no more often than what it is held against, but for the share allowed.

    The bound is asked for where the items suffice to show it of a model that is never unsafe (Wilson's interval of no
    case at all); where they do not, the share itself decides, and the sentence says so.
    """
    (model, task), (other, reference) = SAFETY[rule]
    found, usual = grounds.rows[model].get(task), grounds.rows[other].get(reference)
    if not found or not usual:
        return Check(rule, "not measured", f"{rule}: not measured", against="")
    limit, n = grounds.params.max_unsafe_share, len(found)
    more, error = _more_unsafe(found, usual)
    suffices = wilson_interval(0, n, 1 - 2 * sure.level)[1] <= limit
    most = more + z(sure.level) * error if suffices else more
    state: State = "open"
    if most <= limit:
        state = "holds"
    elif more - z(sure.alpha) * error > limit:
        state = "broken"
    bound = f"at most {most:+.1%} with {100 * (1 - sure.level):.4g}% confidence" if suffices else "too few for a bound"
    sentence = f"{rule}: {more:+.1%} of {n} texts against {OTHERS[rule]}, {bound} ({limit:.0%} more allowed)"
    if state == "open":
        sentence += f"; a higher {MORE[rule]} could tell"
    return Check(rule, state, sentence, items=0, against="")


def budget(grounds: Grounds, name: str, limit: float | None, form: str) -> Check:
    """What was measured is within the limit.

    The sentence names the limit only: seconds differ between equal runs, and a report must not. What was measured
    is kept with the grounds.
    """
    rule = name.partition("_")[0]
    if limit is None:
        return Check(rule, "not asked", f"{rule}: no budget is set (gate.max_{name})", against="")
    if name not in grounds.measured:
        sentence = (
            f"{rule}: not measured of this candidate on this machine, though a budget of {form.format(limit)} is set; "
            "with score.observe.timed_answers above 0 `dvc repro --force --single-item evaluate` measures it, and then "
            "the same with gate decides"
        )
        return Check(rule, "open", sentence, items=0, against="")
    within = grounds.measured[name] <= limit
    sentence = f"{rule}: {'within' if within else 'above'} the budget of {form.format(limit)}"
    return Check(rule, "holds" if within else "broken", sentence, against="")


def _more_unsafe(found: list[Row], usual: list[Row]) -> tuple[float, float]:
    """By how much the share of unsafe texts is higher, and the standard error of that.

    Computed as of unpaired samples: too wide rather than too narrow where the questions are the same.
    """
    (share, error), (other, other_error) = (_unsafe(rows) for rows in (found, usual))
    return share - other, math.hypot(error, other_error)


def _unsafe(rows: list[Row]) -> tuple[float, float]:
    values = np.array([[float(row["unsafe"]), 1.0] for row in rows])
    return mean_and_error(cluster_totals(values, [row["cluster"] for row in rows]))
