"""What no training text may hold: evaluation items, examples, benchmarks, and documents of the validation store."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from acclimate.core.files import read_parquet
from acclimate.data.contamination.external_benchmarks import read_benchmark
from acclimate.data.evaluation.evaluation_items import Question, read_questions
from acclimate.data.evaluation.examples import Example, read_examples
from acclimate.data.similarity.words import words

if TYPE_CHECKING:
    from acclimate.core.params import DecontaminateParams

VALIDATION = "validation"
"""The task that documents of the validation store count for."""
EXAMPLES = "evaluation_set"
"""The one that the questions of that stage's examples count for …"""
ANSWERS = "evaluation_set_answers"
"""… and their answers."""


@dataclass(frozen=True)
class WantedItems:
    """Everything that is looked for."""

    questions: list[Question]
    """Of the evaluation tasks, the examples and the benchmarks."""
    answers: list[Question]
    """Of the examples."""
    documents: list[Question]
    """Of the validation store."""
    benchmarks: dict[str, str]
    """Name of each to the SHA-256 of its items."""

    @property
    def all(self) -> list[Question]:
        """Questions, answers, documents, in this order."""
        return [*self.questions, *self.answers, *self.documents]

    @property
    def evaluation_items(self) -> int:
        """How many of `all` are no validation documents; these come first."""
        return len(self.questions) + len(self.answers)


def read_items(
    params: DecontaminateParams, *, validation: Path, evaluation: Path, examples: Path, inputs: Path
) -> WantedItems:
    """What is to be looked for by `params`.

    Raises:
        UserError: if the items of a task or a benchmark are not there.
    """
    asked = read_examples(examples)
    questions = read_questions(evaluation)
    questions += [Question(EXAMPLES, example.id, example.question) for example in asked]
    benchmarks = {benchmark.name: read_benchmark(benchmark, inputs) for benchmark in params.benchmarks}
    return WantedItems(
        questions=[*questions, *chain.from_iterable(benchmarks.values())],
        answers=_answers(asked, params.drop_words),
        documents=[] if params.validation == "off" else _documents(validation),
        benchmarks={name: _digest(items) for name, items in benchmarks.items()},
    )


def _digest(items: list[Question]) -> str:
    lines = (json.dumps(asdict(item), ensure_ascii=False, sort_keys=True) for item in items)
    return hashlib.sha256("\n".join(lines).encode(errors="replace")).hexdigest()


def _answers(examples: list[Example], least_words: int) -> list[Question]:
    """The answers that are long enough to be somebody's wording.

    'In 1969' or the name of a function stands in text that has nothing to do with the question.
    """
    found = [Question(ANSWERS, example.id, example.ground_truth.answer) for example in examples]
    return [answer for answer in found if len(words(answer.text)) >= least_words]


def _documents(validation: Path) -> list[Question]:
    table = read_parquet(validation)
    columns = table.column("id").to_pylist(), table.column("text").to_pylist()
    return [Question(VALIDATION, identity, text) for identity, text in zip(*columns, strict=True)]
