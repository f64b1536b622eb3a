"""How far annotators agree beyond chance: Krippendorff's alpha with a bootstrap interval.

    agreement(labels, seed=1729)    # {"verdict": Agreement(alpha=0.71, low=0.55, high=0.84, …), "difficulty": …}

1 is perfect agreement, 0 what chance gives. Krippendorff (Content Analysis, 2004, ch. 11) relies on data from 0.8
on and draws tentative conclusions from 0.667 on. Verdicts are nominal, difficulties ordinal. The interval resamples
examples, because the labels of one example belong together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from acclimate.data.evaluation.annotations import VERDICTS, Annotation, Labels
from acclimate.data.evaluation.examples import DIFFICULTIES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Level = Literal["nominal", "ordinal"]

MIN_EXAMPLES = 10
"""Labelled by two people or more; of fewer an alpha says next to nothing."""
RESAMPLES = 1000


@dataclass(frozen=True)
class Agreement:
    """What one kind of label shows."""

    examples: int
    """Those that at least two people labelled; only these count."""
    annotators: int
    alpha: float | None
    """None where it is not defined; then `note` says why."""
    low: float | None
    """The 2.5 % quantile of the bootstrap."""
    high: float | None
    """The 97.5 % quantile."""
    note: str


def agreement(labels: Labels, *, seed: int) -> dict[str, Agreement]:
    """Agreement on verdicts and on difficulties."""
    return {
        "verdict": _agreement(labels, VERDICTS, lambda label: label.verdict, "nominal", seed),
        "difficulty": _agreement(labels, DIFFICULTIES, lambda label: label.difficulty, "ordinal", seed),
    }


def _agreement(
    labels: Labels, values: Sequence[str], of: Callable[[Annotation], str | None], level: Level, seed: int
) -> Agreement:
    said = {
        example: {name: value for name, label in people.items() if (value := of(label)) is not None}
        for example, people in labels.items()
    }
    shared = {example: people for example, people in said.items() if len(people) > 1}
    annotators = len({name for people in shared.values() for name in people})
    if len(shared) < MIN_EXAMPLES:
        note = f"{len(shared)} examples were labelled by two people or more; {MIN_EXAMPLES} are needed"
        return Agreement(len(shared), annotators, None, None, None, note)
    counts = [[list(people.values()).count(value) for value in values] for _, people in sorted(shared.items())]
    return agreement_of_counts(counts, annotators, level, seed)


def agreement_of_counts(counts: list[list[int]], annotators: int, level: Level, seed: int) -> Agreement:
    """Alpha of how often each label was given to each example.

    Args:
        counts: [examples, values]; every example has two labels or more.
        annotators: how many different ones gave them.
        level: whether the values are in an order.
        seed: of the bootstrap.
    """
    import numpy as np

    table = np.array(counts)
    alpha = _alpha(table, level)
    if alpha is None:
        note = "everybody gave every example the same label: agreement beyond chance is not defined"
        return Agreement(len(table), annotators, None, None, None, note)
    random = np.random.default_rng(seed)
    draws = (_alpha(table[random.integers(0, len(table), len(table))], level) for _ in range(RESAMPLES))
    defined = [draw for draw in draws if draw is not None]
    low, high = (round(float(end), 4) for end in np.quantile(defined, [0.025, 0.975]))
    lost = RESAMPLES - len(defined)
    note = f"{lost} of {RESAMPLES} resamples had one label only and do not count" if lost else ""
    return Agreement(len(table), annotators, round(alpha, 4), low, high, note)


def _alpha(table: NDArray[np.int64], level: Level) -> float | None:
    import krippendorff

    if (table.sum(axis=0) > 0).sum() < 2:
        return None
    return float(krippendorff.alpha(value_counts=table, level_of_measurement=level))
