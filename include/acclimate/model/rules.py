"""The rules of a gate: each holds, is broken, or stays open because the sample decides neither way.

    check = keeps(pair, 0.9, Bar(level=0.025, alpha=0.05, power=0.8))
    check.state, check.sentence     # "holds", "general cloze 0.710 → 0.672, 94.7% kept (90% or more asked); …"

Three states, because "not shown to be good" and "shown to be bad" are different findings: the first asks for more
items, the second for another candidate. A rule holds at the level of what must be shown, is broken when the
opposite is shown at alpha, and is open in between.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from acclimate.model.compare import Pair, Rows, significant
from acclimate.model.power import items_needed, items_to_separate
from acclimate.model.score import CLOZE_TASKS, TEXT_TASKS

State = Literal["broken", "open", "holds", "not measured", "not asked"]
Verdict = Literal["promote", "reject", "inconclusive"]

NOISE_NATS = 0.01
"""A log-likelihood that moved by no more than this may have been rounded differently, not changed.

Measured on the embedded default in float32, 2026-11: the base scored in another process, with other threads or with
batches of 64 instead of 16 differs by 0.0001 at most (the last digit of the rows), while a trained adapter moved every
one of 1,900 items, the least by 0.17.
"""

ROUNDING = 1e-9
"""Far below any difference that one item could make."""

MOST_ITEMS = 100
"""More than this many times the items there are is no advice: the difference is too close to the limit."""


@dataclass(frozen=True)
class Bar:
    """How sure a rule must be of what it says."""

    level: float
    """Chance (0–1) of calling a rule that is broken kept: what must be shown is tested at this level."""
    alpha: float
    """Chance of calling a rule that is kept broken."""
    power: float
    """Chance of finding what is there, wherever a number of items is named."""


@dataclass(frozen=True)
class Check:
    """One rule applied: how it came out, a sentence with the numbers and the threshold, and the numbers."""

    rule: str
    state: State
    sentence: str
    numbers: dict[str, Any] = field(default_factory=dict)
    items: int | None = None
    """Of an open rule: how many items in all would decide it; None where no number would."""
    against: str = "base"
    """Whom the candidate is compared with; empty where with nobody."""


def verdict(checks: Sequence[Check]) -> Verdict:
    """Reject if a rule is broken, else inconclusive if one is open, else promote."""
    states = {check.state for check in checks}
    return "reject" if "broken" in states else "inconclusive" if "open" in states else "promote"


def reasons(checks: Sequence[Check]) -> list[str]:
    """The sentences: broken rules first, then open ones, those that hold, and what was not measured."""
    order = ("broken", "open", "holds", "not measured")
    return [check.sentence for state in order for check in checks if check.state == state]


def any_of(checks: Sequence[Check]) -> Check:
    """One rule of several of which one is enough: the best of them, with what the others say."""
    order: tuple[State, ...] = ("holds", "open", "broken")
    ranked = sorted(checks, key=lambda check: order.index(check.state))
    best = ranked[0]
    sentence = " – or: ".join(check.sentence for check in ranked)
    # Several open ones: whichever needs the fewest items decides first.
    wanted = [check.items for check in ranked if check.state == "open" and check.items is not None]
    items = min(wanted, default=None) if best.state == "open" else None
    return Check(best.rule, best.state, sentence, {}, items, best.against)


def more_items(checks: Sequence[Check], n: int) -> int | None:
    """How many items more than the `n` there are would decide every open rule; None where no number would."""
    wanted = [check.items for check in checks if check.state == "open"]
    if not wanted or None in wanted:
        return None
    return max(0, max(items for items in wanted if items is not None) - n)


def changes(base: Rows, candidate: Rows) -> Check:
    """The adapter moves likelihoods by more than rounding does.

    An adapter that was never trained (B = 0) adds zero to every layer, yet its likelihoods differ from the
    base's in the last digits: sums are rounded in another order.
    """
    tasks = (*CLOZE_TASKS, *TEXT_TASKS)
    moved = [_moved(a, b) for task in tasks for a, b in zip(base[task], candidate[task], strict=True)]
    items, changed = len(moved), sum(change > NOISE_NATS for change in moved)
    numbers = {"items": items, "changed": changed, "tolerance_nats": NOISE_NATS}
    if not changed:
        sentence = (
            f"the adapter changes nothing, as if it had not been trained: on all {items} items the candidate is the "
            f"base, to within {NOISE_NATS:g} nats"
        )
        return Check("adapter", "broken", sentence, numbers)
    sentence = f"the adapter changes something: {changed} of {items} items score differently"
    return Check("adapter", "holds", sentence, numbers)


def gains(pair: Pair, min_gain: float, sure: Bar, p_adjusted: float, *, against: str = "base") -> Check:
    """The candidate is above the reference by the asked share, and not by luck.

    Args:
        pair: the two compared.
        min_gain: asked for, relative to the reference, by point estimate; 0 asks for any gain.
        sure: the level of the test; broken if the gain is shown to be smaller than asked.
        p_adjusted: the test's p-value, corrected for the other metrics of which one would do.
        against: whom the reference is.
    """
    low, high = pair.retention_bounds(sure.level)[0], pair.retention_bounds(sure.alpha)[1]
    ratio = pair.retention
    large = ratio >= 1 + min_gain if ratio is not None else pair.candidate > 0
    state: State = "open"
    if large and p_adjusted < sure.level:
        state = "holds"
    elif high < 1 + min_gain - ROUNDING:
        state = "broken"
    asked = f"{min_gain:+.0%} or more asked" if min_gain else "more asked"
    adjusted = "" if p_adjusted == pair.p_value else f", adjusted {significant(p_adjusted):.2g}"
    sentence = (
        f"{_versus(against)}{change(pair)}, {'from nothing' if ratio is None else f'{ratio - 1:+.1%}'} ({asked}), "
        f"p {significant(pair.p_value):.2g}{adjusted} (below {sure.level:.2g} asked; {pair.n} items in "
        f"{len(pair.totals)} clusters){_at_least(low - 1, sure, sign='+')}"
    )
    numbers = {
        "relative_gain": _rounded(None if ratio is None else ratio - 1),
        "threshold": min_gain,
        "bound": _rounded(low - 1),
        "rule_p": significant(pair.p_value),
        "rule_p_adjusted": significant(p_adjusted),
    }
    items = _items_for_gain(pair, min_gain, sure, large=large) if state == "open" else None
    return Check("domain gain", state, sentence, numbers | _outcome(state), items, against)


def keeps(
    pair: Pair,
    share: float,
    sure: Bar,
    *,
    rule: str = "general ability",
    against: str = "base",
    bound_decides: bool = True,
) -> Check:
    """The candidate has at least `share` of the reference's quality, and not by luck: non-inferiority.

    That the point estimate has it shows nothing (Wellek 2010, ch. 1): the lower bound must.

    Args:
        pair: the two compared.
        share: asked for (0–1).
        sure: the level of the lower bound; broken if the upper bound is below the share.
        rule: what this is about.
        against: whom the reference is.
        bound_decides: False where the sample could not show it even of a model that lost nothing.
    """
    low, high = pair.retention_bounds(sure.level)[0], pair.retention_bounds(sure.alpha)[1]
    kept = pair.retention
    if kept is None:
        sentence = f"{_versus(against)}{change(pair)}: nothing to keep"
        return Check(rule, "holds", sentence, _outcome("holds"), against=against)
    if not bound_decides:
        low = high = kept
    state: State = "holds" if low >= share - ROUNDING else "broken" if high < share else "open"
    bound = _at_least(low, sure) if bound_decides else "; no bound asked: too few items to show it of any model"
    sentence = f"{_versus(against)}{change(pair)}, {kept:.1%} kept ({share:.0%} or more asked){bound}"
    p = significant(pair.retention_p(share))
    numbers = {
        "retention": _rounded(kept),
        "threshold": share,
        "bound": _rounded(low),
        "rule_p": p,
        "rule_p_adjusted": p,
    }
    items = _items_for_share(pair, share, sure) if state == "open" else None
    return Check(rule, state, sentence, numbers | _outcome(state), items, against)


def change(pair: Pair) -> str:
    """'domain cloze 0.303 → 0.416'."""
    return f"{pair.metric.replace('_', ' ')} {pair.reference:.3f} → {pair.candidate:.3f}"


def _moved(base: dict[str, Any], candidate: dict[str, Any]) -> float:
    """By how many nats the likelihoods of one item differ, at most."""
    if "log_likelihood" in base:
        return abs(float(base["log_likelihood"]) - float(candidate["log_likelihood"]))
    pairs = zip(base["log_likelihoods"], candidate["log_likelihoods"], strict=True)
    return max(abs(float(a) - float(b)) for a, b in pairs)


def _items_for_gain(pair: Pair, min_gain: float, sure: Bar, *, large: bool) -> int | None:
    """Items that would show a gain of the size measured; or, below the asked one, that it is below."""
    if not large:
        return _items_for_share(pair, 1 + min_gain, sure)
    if sum(pair.discordant):
        return _capped(items_needed(pair.difference, pair.design, alpha=sure.level, power=sure.power), pair.n)
    return _capped(
        items_to_separate(pair.difference, pair.error, pair.n, alpha=sure.level, power=sure.power),
        pair.n,
    )


def _items_for_share(pair: Pair, share: float, sure: Bar) -> int | None:
    assert pair.retention is not None
    distance = pair.retention - share
    alpha = sure.level if distance > 0 else sure.alpha
    wanted = items_to_separate(distance, pair.retention_error, pair.n, alpha=alpha, power=sure.power)
    return _capped(wanted, pair.n)


def _capped(items: int | None, n: int) -> int | None:
    return None if items is None or items > MOST_ITEMS * n else items


def _outcome(state: State) -> dict[str, Any]:
    return {"state": state, "passed": state == "holds"}


def _versus(against: str) -> str:
    return "" if against == "base" else f"against {against}, "


def _at_least(bound: float, sure: Bar, *, sign: str = "") -> str:
    if not math.isfinite(bound):
        return "; too few items for a bound"
    return f"; at least {bound:{sign}.1%} with {100 * (1 - sure.level):.4g}% confidence"


def _rounded(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, 6)
