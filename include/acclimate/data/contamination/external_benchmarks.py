"""The items of external benchmarks: a file below inputs/ with a field mapping, or a task of lm-eval.

    benchmarks:
      - {name: openbookqa, path: inputs/openbookqa/test.jsonl, text: question.stem, id: id}
      - {name: arc_easy, task: arc_easy}

What a model is asked is what is looked for. Of an lm-eval task that is its decontamination query where the
task defines one, else its prompt.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.core.errors import UserError
from acclimate.data.evaluation.evaluation_items import Question
from acclimate.data.sources.record_files import READERS, values_at

if TYPE_CHECKING:
    from acclimate.core.params.contamination import Benchmark


def read_benchmark(benchmark: Benchmark, inputs: Path) -> list[Question]:
    """The items of one benchmark, paths in it taken below `inputs`.

    Raises:
        UserError: if its file or its data is not there, cannot be read, or a record has no text.
    """
    items = list(_of_task(benchmark, inputs) if benchmark.task else _of_file(benchmark, inputs))
    if not items:
        raise UserError(
            f"the benchmark {benchmark.name} has no item",
            why="nothing would be kept out of training on its account",
            fix="correct it under decontaminate.benchmarks in params.yaml, or remove it there",
        )
    return items


def _of_file(benchmark: Benchmark, inputs: Path) -> Iterator[Question]:
    path = _below(inputs, benchmark.path or "")
    if path.suffix.lower() not in READERS or not path.is_file():
        problem = "is not there" if path.suffix.lower() in READERS else f"has none of the endings {', '.join(READERS)}"
        raise _unusable(benchmark, f"{path} {problem}")
    fields = [benchmark.text] if isinstance(benchmark.text, str) else benchmark.text or []
    try:
        for number, record in enumerate(READERS[path.suffix.lower()](path)):
            text = " ".join(part for field in fields for part in values_at(record, field.split(".")))
            identity = values_at(record, benchmark.id.split(".")) if benchmark.id else [str(number)]
            if not text.strip() or not identity:
                raise _unusable(benchmark, f"record {number} of {path} has nothing at {', '.join(fields)}")
            yield Question(benchmark.name, identity[0], text)
    except (ValueError, csv.Error) as fault:
        raise _unusable(benchmark, f"{path} cannot be read: {fault}") from None


def _of_task(benchmark: Benchmark, inputs: Path) -> Iterator[Question]:
    for task in _load_tasks(benchmark, inputs):
        docs = task.test_docs() if task.has_test_docs() else task.validation_docs()
        query = task.doc_to_decontamination_query if task.should_decontaminate() else task.doc_to_text
        for number, doc in enumerate(docs):
            yield Question(benchmark.name, f"{task.task_name}:{number}", str(query(doc)))


def _load_tasks(benchmark: Benchmark, inputs: Path) -> list[Any]:
    """The task of this name, or every task of the group."""
    from lm_eval.tasks import TaskManager

    own = benchmark.task_folder
    manager = TaskManager(include_path=str(_below(inputs, own)) if own else None, include_defaults=own is None)
    if benchmark.task not in {*manager.all_tasks, *manager.all_groups, *manager.all_tags}:
        where = f"in {own}" if own else "among those that lm-eval brings along"
        raise _unusable(benchmark, f"there is no task {benchmark.task!r} {where}")
    try:
        # Loading a task loads its data: from the cache of the datasets library, else from the hub.
        return list(manager.load([benchmark.task])["tasks"].values())
    except (OSError, ValueError) as fault:
        # Offline is an OSError, a cache without this configuration a ValueError.
        raise _unusable(benchmark, f"the data of lm-eval task {benchmark.task} is not at hand: {fault}") from None


def _below(inputs: Path, path: str) -> Path:
    return inputs / path.removeprefix("inputs/")


def _unusable(benchmark: Benchmark, what: str) -> UserError:
    return UserError(
        f"benchmark {benchmark.name}: {what}",
        why="a score on it would mean nothing if its items stood in the training texts unseen",
        fix="put the file there, fetch the data once while online (`datasets` keeps it), or correct "
        "decontaminate.benchmarks in params.yaml",
    )
