"""The five dimensions of a base: which rows each stands on, and what an item scores.

    scored_items(read_rows(Path("artifacts/baseline")))["domain_terminology"]
    # [Scored("bc7e30f48234a916", "scipy.qmr", 0.0, "took choice 3, right was 1 (3.2 nats less likely)"), …]

    dimension                 weight  task                            score of an item, 0–1
    domain_accuracy            .35    domain_cloze                    the missing term of a held-out passage
    domain_reasoning           .25    multiple_choice                 the whole answer to a question, of four
    domain_terminology         .20    terminology                     the missing term of a reference answer
    uncertainty_calibration    .15    those with likelihoods alike    1 − half the Brier score
    response_appropriateness   .05    questions                       share of the checks that an answer passes

`domain_reasoning` is as near to reasoning as the questions are: telling which whole answer belongs to a question asks
for more than a word that fits, and for a chain of thought only where the questions do (docs/model.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from acclimate.core.files import read_jsonl
from acclimate.model.scoring.calibration import brier, probabilities
from acclimate.model.scoring.lm_tasks import Row

WEIGHTS = {
    "domain_accuracy": 0.35,
    "domain_reasoning": 0.25,
    "domain_terminology": 0.20,
    "uncertainty_calibration": 0.15,
    "response_appropriateness": 0.05,
}
"""Of the composite score."""
CALIBRATED = ("domain_cloze", "terminology", "multiple_choice_letters")
"""Tasks of the domain whose choices have comparable likelihoods; whole answers of unlike length have not."""
TASKS = ("domain_cloze", "multiple_choice", "terminology", "multiple_choice_letters", "questions")
MIN_WORDS = 3
REPEATED_WORDS = 4
"""In a row, that say twice what was said: a model of this kind that is at a loss repeats itself (Holtzman et al. 2020,
The Curious Case of Neural Text Degeneration)."""


@dataclass(frozen=True)
class Scored:
    """What a model got for one item."""

    id: str
    cluster: str
    score: float
    """0–1."""
    failed: bool
    """Whether that counts as a failure of the model: a wrong choice, worse than not knowing, any check not passed."""
    regret: float
    """What orders equal scores: how sure the model was of what is wrong."""
    said: str
    """What it did, in words."""


def read_rows(folder: Path) -> dict[str, list[Row]]:
    """The rows of TASKS that `score` and `assess` left in `folder`; a task without items is not there."""
    return {task: read_jsonl(folder / f"{task}.jsonl") for task in TASKS if (folder / f"{task}.jsonl").exists()}


def scored_items(rows: dict[str, list[Row]]) -> dict[str, list[Scored]]:
    """Every dimension that has items, in the order of WEIGHTS."""
    calibrated = [row for task in CALIBRATED for row in rows.get(task, [])]
    parts: dict[str, tuple[Sequence[Row], Callable[[Row], Scored]]] = {
        "domain_accuracy": (rows.get("domain_cloze", []), _chosen),
        "domain_reasoning": (rows.get("multiple_choice", []), _chosen),
        "domain_terminology": (rows.get("terminology", []), _chosen),
        "uncertainty_calibration": (calibrated, _calibrated),
        "response_appropriateness": (rows.get("questions", []), _appropriate),
    }
    assert parts.keys() == WEIGHTS.keys()
    return {name: [of(row) for row in items] for name, (items, of) in parts.items() if items}


def _chosen(row: Row) -> Scored:
    """Right or wrong; the worst of the wrong are those whose right choice the model found least likely."""
    values, label = row["log_likelihoods"], row["label"]
    lost = max(values) - values[label]
    right = bool(row["correct"])
    said = "right" if right else f"took choice {row['choice'] + 1}, right was {label + 1}, {lost:.1f} nats less likely"
    return Scored(row["id"], row["cluster"], float(right), not right, lost, said)


def _calibrated(row: Row) -> Scored:
    """1 is certainty of the right choice, 0 of a wrong one."""
    chances, label = probabilities(row["log_likelihoods"]), row["label"]
    distance = brier(chances, label)
    # Who knows nothing holds all choices equally likely: (1 − 1/k)² + (k − 1)/k² = 1 − 1/k.
    unknowing = 1 - 1 / len(chances)
    said = f"gave its choice {chances.max():.0%}, the right one {chances[label]:.0%}"
    return Scored(row["id"], row["cluster"], 1 - distance / 2, distance > unknowing, distance, said)


def _appropriate(row: Row) -> Scored:
    """Whether an answer can be given to somebody at all, whatever it says."""
    words = str(row["text"]).casefold().split()
    grams = [tuple(words[place : place + REPEATED_WORDS]) for place in range(len(words) - REPEATED_WORDS + 1)]
    checks = {
        f"fewer than {MIN_WORDS} words": len(words) >= MIN_WORDS,
        "cut off": str(row["text"]).rstrip().endswith((".", "!", "?", ":", ")")),
        "repeats itself": len(set(grams)) == len(grams),
        "profane": not row.get("unsafe", False),
    }
    faults = [fault for fault, passed in checks.items() if not passed]
    score = 1 - len(faults) / len(checks)
    said = f"{', '.join(faults) or 'nothing wrong'}: {str(row['text'])[:80]!r}"
    return Scored(row["id"], row["cluster"], score, bool(faults), float(len(faults)), said)
