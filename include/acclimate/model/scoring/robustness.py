"""Whether a model answers the same when the same thing is asked in another way.

    robustness_typos, _lower_case, _spacing    the left context of the domain cloze changed (perturbations.py)
    robustness_option_order                    the options under A to D in the opposite order
    robustness_short_form, _plain_form         the question asked in another template

Items are paired with their unchanged form. Consistency is the share of items with the same answer, right or wrong;
the loss is what the change costs in accuracy. Items that a change leaves as they are, are not counted.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from acclimate.model.scoring.asking import Form
from acclimate.model.scoring.estimates import Estimate, estimate, ratio
from acclimate.model.scoring.lm_tasks import Item, Row, Task
from acclimate.model.scoring.options import lettered
from acclimate.model.scoring.perturbations import CHANGES

PREFIX = "robustness_"
TEMPLATES = {"short_form": "Q: {question}\nA:", "plain_form": "{question}\n\n"}
"""Other ways to put a question, beside the one it was trained in; an answer follows them after a space."""
BASES = dict.fromkeys(CHANGES, "domain_cloze") | {"option_order": "multiple_choice_letters"}
BASES |= dict.fromkeys(TEMPLATES, "multiple_choice")
"""Change to the task whose items it changes."""


@dataclass(frozen=True)
class Robustness:
    """One change, over the items that it changes."""

    base: str
    """The task that was changed."""
    consistency: Estimate
    before: Estimate
    after: Estimate
    loss: Estimate
    """Accuracy before minus after; below 0 where the change helped."""


def robustness_tasks(bases: dict[str, Sequence[Item]], form: Form, *, items: int, seed: int) -> list[Task]:
    """A task per change, of the first `items` items of its base that it changes.

    Args:
        bases: the items of the tasks in BASES; a task that is not there is not changed.
        form: in which their questions are asked.
        items: the most per change.
        seed: of the typos and gaps.
    """
    tasks = []
    for change, base in BASES.items():
        changed = (_changed(change, item, form, seed) for item in bases.get(base, ()))
        kept = [item for item in changed if item is not None][:items]
        tasks.append(Task(f"{PREFIX}{change}", "choices", kept))
    return tasks


def compare(change: str, base: Sequence[Row], changed: Sequence[Row], *, seed: int) -> Robustness:
    """What a change did to the answers, from the rows of its base task and its own.

    Raises:
        AssertionError: if no item was changed.
    """
    by_id = {row["id"]: row for row in base}
    pairs = [(by_id[row["id"]], row) for row in changed]
    clusters = [row["cluster"] for row in changed]
    same = [float(_meant(change, before) == after["choice"]) for before, after in pairs]
    before = [float(row["correct"]) for row, _ in pairs]
    after = [float(row["correct"]) for _, row in pairs]
    lost = [a - b for a, b in zip(before, after, strict=True)]
    return Robustness(
        base=BASES[change],
        consistency=estimate(same, clusters, seed=seed),
        before=estimate(before, clusters, seed=seed),
        after=estimate(after, clusters, seed=seed),
        loss=ratio(lost, [1.0] * len(lost), clusters, seed=seed),
    )


def _changed(change: str, item: Item, form: Form, seed: int) -> Item | None:
    """The item after the change; None if it is the same."""
    if change == "option_order":
        left = form.opened(lettered(item["question"], item["options"][::-1]))
        return {**item, "left": left, "label": len(item["options"]) - 1 - item["label"]}
    if change in TEMPLATES:
        choices = [f" {option}" for option in item["options"]]
        return {**item, "left": TEMPLATES[change].format(question=item["question"]), "choices": choices}
    left = CHANGES[change](item["left"], random.Random(f"{seed}:{change}:{item['id']}"))
    return None if left == item["left"] else {**item, "left": left}


def _meant(change: str, before: Row) -> int:
    """The place, after the change, of what was chosen before it."""
    if change != "option_order":
        return int(before["choice"])
    return len(before["log_likelihoods"]) - 1 - int(before["choice"])
