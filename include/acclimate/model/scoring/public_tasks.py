"""Any task that lm-eval brings along, or whose YAML is in inputs/tasks, by name.

    run_public(model, tokenizer, ["arc_easy"], Path("inputs/tasks"), batch_items=16, max_items=None)
    # {"arc_easy": [{"id": "arc_easy:0", "acc": 1.0, "acc_norm": 0.0}, …]}

They run through lm-eval's own adapter of the model that is loaded already, so that scores are those that others
publish. Their data must be at hand: nothing is fetched.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from acclimate.core.errors import UserError

Row = dict[str, Any]


def run_public(
    model: Any, tokenizer: Any, names: Sequence[str], folder: Path, *, batch_items: int, max_items: int | None
) -> dict[str, list[Row]]:
    """Per task one row per item, with every metric of it that is a number per item.

    Args:
        model: a transformers causal language model in evaluation mode.
        tokenizer: its tokenizer.
        names: of tasks or groups of tasks.
        folder: with the YAML of tasks of your own, which come before those of lm-eval.
        batch_items: items per forward pass.
        max_items: of each task, the first; None for all.

    Raises:
        UserError: if there is no such task, or its data is not at hand.
    """
    from lm_eval.evaluator import evaluate
    from lm_eval.models.huggingface import HFLM

    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    tasks = _load(names, folder)
    lm = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=batch_items)
    results = evaluate(lm=lm, task_dict=tasks, limit=max_items, bootstrap_iters=0, log_samples=True)
    return {name: _rows(name, samples) for name, samples in results["samples"].items()}


def _rows(name: str, samples: Sequence[dict[str, Any]]) -> list[Row]:
    """An item that a task filters in several ways is one row; a metric of its second filter is called metric,filter."""
    rows: dict[int, Row] = {}
    first = samples[0]["filter"] if samples else ""
    for sample in samples:
        suffix = "" if sample["filter"] == first else f",{sample['filter']}"
        identity = f"{name}:{sample['doc_id']}"
        row = rows.setdefault(sample["doc_id"], {"id": identity, "cluster": identity})
        values = {f"{metric}{suffix}": sample.get(metric) for metric in sample["metrics"]}
        row |= {metric: float(value) for metric, value in values.items() if isinstance(value, int | float)}
    return list(rows.values())


@cache
def _manager(folder: Path) -> Any:
    """lm-eval's index of its own tasks, 13,000 files, and of those in `folder`; a champion is asked the same."""
    from lm_eval.tasks import TaskManager

    return TaskManager(include_path=str(folder))


def data_missing(name: str, folder: Path) -> str | None:
    """Why the data of the task `name` is not at hand; None if it is.

    Raises:
        UserError: if there is no such task.
    """
    try:
        _knowing([name], folder).load([name])
    except (OSError, ValueError) as fault:
        return " ".join(str(fault).split())
    return None


def _load(names: Sequence[str], folder: Path) -> dict[str, Any]:
    manager = _knowing(names, folder)
    try:
        loaded: dict[str, Any] = manager.load(list(names))
    except (OSError, ValueError) as fault:
        # Offline is an OSError, a cache without this configuration a ValueError.
        raise UserError(
            f"the data of {', '.join(names)} is not at hand: {fault}",
            why="stages fetch nothing: a score must not depend on what a server holds today",
            fix="load the data set once while online (`datasets` keeps it), or take the task out of params.yaml",
        ) from None
    return loaded


def _knowing(names: Sequence[str], folder: Path) -> Any:
    """The index, which has all of these tasks."""
    manager = _manager(folder.resolve())
    unknown = sorted({*names} - {*manager.all_tasks, *manager.all_groups, *manager.all_tags})
    if unknown:
        raise UserError(
            f"params.yaml names {', '.join(unknown)}, a task neither of lm-eval nor in {folder}",
            why="there is nothing to score under that name",
            fix=f"choose one that `lm-eval ls tasks` lists, or put its YAML into {folder}; the dials are "
            "score.observe.tasks and baseline.sanity",
        )
    return manager
