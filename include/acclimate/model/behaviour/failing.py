"""From what a model found likely to what it failed at, by capability.

items = asked(cases)                            # what to put to the model: left context and choices
rows = case_rows(cases, log_likelihoods)        # of every item's choices, in the same order
capabilities(rows, seed=1729)                   # {"vocabulary": Capability(failure_rate=Estimate(…), …)}
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from acclimate.model.behaviour.suites import Case
from acclimate.model.scoring.estimates import Estimate, estimate

NAME = "behaviour"
"""Of the task, and of the file that keeps its rows."""
MARGIN_NATS = 0.1
"""By how much a directional test's text must become likelier: less could be rounding, or where a token ends."""
EXAMPLES = 3
"""Failed cases of each capability that a report shows."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Failed:
    """A case that went wrong, as one would show it to somebody."""

    test: str
    prompt: str
    changed: str | None
    wanted: str
    got: str


@dataclass(frozen=True)
class Capability:
    """What the tests of one file show."""

    failure_rate: Estimate
    """Share of its cases that failed."""
    tests: dict[str, Estimate]
    """The same of each test."""
    kinds: dict[str, str]
    """Test to its kind."""
    examples: list[Failed]
    """The first that failed."""


def asked(cases: Sequence[Case]) -> list[Row]:
    """One item per prompt of each case, as a model is asked for choices."""
    return [
        {"id": f"{case.id}/{place}", "left": prompt, "choices": list(case.choices), "right": "", "label": 0}
        for case in cases
        for place, prompt in enumerate(case.prompts)
    ]


def case_rows(cases: Sequence[Case], log_likelihoods: Sequence[Sequence[float]]) -> list[Row]:
    """One row per case: whether it failed, what was wanted and what came.

    Args:
        cases: as given to `asked`.
        log_likelihoods: of the choices of every item that `asked` made of them, in nats and in its order.
    """
    answers = iter(log_likelihoods)
    rows = []
    for case in cases:
        passed, wanted, got = _outcome(case, [next(answers) for _ in case.prompts])
        named = {"id": case.id, "capability": case.capability, "test": case.test, "kind": case.kind}
        rows.append(named | {"prompts": list(case.prompts), "failed": not passed, "wanted": wanted, "got": got})
    return rows


def capabilities(rows: Sequence[Row], *, seed: int) -> dict[str, Capability]:
    """The rows summed up; `seed` is of the intervals."""
    found = {}
    for name in dict.fromkeys(row["capability"] for row in rows):
        own = [row for row in rows if row["capability"] == name]
        by_test = {test: [row for row in own if row["test"] == test] for test in dict.fromkeys(r["test"] for r in own)}
        found[name] = Capability(
            failure_rate=_rate(own, seed),
            tests={test: _rate(some, seed) for test, some in by_test.items()},
            kinds={test: some[0]["kind"] for test, some in by_test.items()},
            examples=[_failed(row) for row in own if row["failed"]][:EXAMPLES],
        )
    return found


def _rate(rows: Sequence[Row], seed: int) -> Estimate:
    return estimate([float(row["failed"]) for row in rows], [row["id"] for row in rows], seed=seed)


def _outcome(case: Case, answers: Sequence[Sequence[float]]) -> tuple[bool, str, str]:
    """Whether the case was passed, what was wanted, and what came."""
    choices = [choice.strip() for choice in case.choices]
    if case.kind == "minimum_functionality":
        best = _likeliest(answers[0])
        return best == 0, choices[0], choices[best]
    before, after = answers
    if case.kind == "invariance":
        was, is_now = _likeliest(before), _likeliest(after)
        return was == is_now, choices[was], choices[is_now]
    gain = after[0] - before[0]
    return gain > MARGIN_NATS, f"{choices[0]} likelier", f"{gain:+.2f} nats"


def _likeliest(log_likelihoods: Sequence[float]) -> int:
    return max(range(len(log_likelihoods)), key=log_likelihoods.__getitem__)


def _failed(row: Row) -> Failed:
    prompt, *changed = row["prompts"]
    return Failed(row["test"], prompt, changed[0] if changed else None, row["wanted"], row["got"])
