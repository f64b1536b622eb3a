"""What training texts are checked against, by which rules, and what a find leads to."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from acclimate.core.params.chat import ChatModel
from acclimate.core.params.fields import Count, Name, Section, Similarity

FieldPath = Annotated[str, Field(min_length=1)]
"""A key (`question`) or a dotted path (`question.stem`, `choices.0`); a list on the way is read as a whole."""
InputPath = Annotated[str, Field(pattern=r"^inputs/[^/]")]
"""Relative to the checkout and below inputs/: there DVC notices when the file changes."""
Consequence = Literal["drop", "flag", "off"]


class Benchmark(Section):
    """A published evaluation set that no training text may hold: a file, or a task of lm-eval."""

    name: Name
    path: InputPath | None = None
    text: FieldPath | Annotated[list[FieldPath], Field(min_length=1)] | None = None
    """Where in a record of the file the text of the item is; several are joined."""
    id: FieldPath | None = None
    """By default the number of the record in the file."""
    task: str | None = None
    task_folder: InputPath | None = None
    """Where the YAML of the task is, if it is not one that lm-eval brings along."""

    @model_validator(mode="after")
    def _one_place(self) -> Benchmark:
        if (self.path is None) == (self.task is None):
            raise ValueError("give either path (a file) or task (the name of an lm-eval task)")
        if self.path is not None and self.text is None:
            raise ValueError("text must say which field of a record holds the text of the item")
        return self


class Preferences(Section):
    """Pairs of answers of which one is preferred, for the stage align: files of one form."""

    path: InputPath
    """Of a file, or a pattern that several match."""
    prompt: FieldPath | None = None
    """What both answer; None where both are whole dialogues, and what they begin with alike is the prompt."""
    chosen: FieldPath
    rejected: FieldPath


class DecontaminateParams(Section):
    """Overlap of training text with evaluation text, in words, in wording and in meaning."""

    drop_words: Count
    flag_words: Count
    near_duplicate: Similarity
    validation: Consequence
    boilerplate_documents: Count
    benchmarks: list[Benchmark]
    preferences: Preferences | None
    rephrased: Consequence
    embedder: Annotated[str, Field(min_length=1)]
    similarity: Similarity
    neighbours: Count
    judge: ChatModel | None

    @model_validator(mode="after")
    def _values_fit_together(self) -> DecontaminateParams:
        if self.flag_words > self.drop_words:
            raise ValueError(f"flag_words ({self.flag_words}) must not exceed drop_words ({self.drop_words})")
        names = [benchmark.name for benchmark in self.benchmarks]
        if len(set(names)) < len(names):
            raise ValueError(f"benchmarks need distinct names, got {names}")
        return self
