"""From what a model answered to one line per item: what every summary, slice and comparison is made from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from acclimate.model.scoring.answers import measure
from acclimate.model.scoring.lm_tasks import Item, Row, Task, choice_row
from acclimate.model.scoring.options import chosen
from acclimate.model.scoring.question_tasks import FACTS


def question_rows(task: Task, answers: Sequence[Any], embedder: str) -> list[Row]:
    """The rows of one of the tasks of question_tasks.py, each with the facts it can be sliced by."""
    if task.name == "questions":
        rows = _answered(task.items, answers, embedder)
    elif task.name == "multiple_choice_generated":
        rows = [_lettered(item, text) for item, text in zip(task.items, answers, strict=True)]
    else:
        row = _per_byte if task.name == "multiple_choice" else choice_row
        rows = [row(item, values) for item, values in zip(task.items, answers, strict=True)]
    return [row | {name: item[name] for name in FACTS} for row, item in zip(rows, task.items, strict=True)]


def without_prior(told: Sequence[list[float]], alone: Sequence[list[float]]) -> list[list[float]]:
    """How much likelier each choice became by what was told before it, in nats.

    A name that is rare or long is unlikely whatever is asked; what counts is what the definition changes (pointwise
    mutual information given the domain: Holtzman et al. 2021, Surface Form Competition).
    """
    return [[one - other for one, other in zip(*pair, strict=True)] for pair in zip(told, alone, strict=True)]


def _per_byte(item: Item, log_likelihoods: list[float]) -> Row:
    """Answers differ in length, and a long one is unlikely for that alone: the likeliest per byte is chosen."""
    sizes = [len(choice.encode()) for choice in item["choices"]]
    shares = [value / size for value, size in zip(log_likelihoods, sizes, strict=True)]
    choice = max(range(len(shares)), key=shares.__getitem__)
    changed = {"choice": choice, "correct": choice == item["label"], "bytes": sizes}
    return choice_row(item, log_likelihoods) | changed


def _lettered(item: Item, text: str) -> Row:
    choice = chosen(text, item["options"])
    named = {"label": item["label"], "choice": choice, "correct": choice == item["label"], "text": text}
    return {"id": item["id"], "cluster": item["cluster"], **named}


def _answered(items: Sequence[Item], texts: Sequence[str], embedder: str) -> list[Row]:
    said = [text.strip() for text in texts]
    measured = measure(said, [item["reference"] for item in items], embedder=embedder, dial="score.observe.embedder")
    return [
        {"id": item["id"], "cluster": item["cluster"], "text": text}
        | {name: round(value, 6) for name, value in metrics.items()}
        for item, text, metrics in zip(items, said, measured, strict=True)
    ]
