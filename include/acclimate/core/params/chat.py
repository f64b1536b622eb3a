"""A model behind an OpenAI-compatible endpoint, and what it is asked to judge."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from acclimate.core.params.fields import Count, Name, Section

Price = Annotated[float, Field(ge=0)]


class ChatModel(Section):
    """Where a model answers and how long it is waited for."""

    endpoint: Annotated[str, Field(pattern=r"^https?://")]
    """Up to and without /chat/completions, e.g. http://127.0.0.1:8000/v1."""
    model: Annotated[str, Field(min_length=1)]
    timeout_seconds: Count = 60
    retries: Annotated[int, Field(ge=0, le=10)] = 2


class Juror(ChatModel):
    """A model that judges answers; its key is in the environment as ACCLIMATE_JUDGE_KEY_<NAME>."""

    name: Name
    prompt_price: Price = 0.0
    """Per million tokens read, in whatever currency."""
    completion_price: Price = 0.0
    """Per million tokens written."""


class Criterion(Section):
    """A question of the rubric: in what the better answer is better."""

    name: Name
    asks: Annotated[str, Field(min_length=1)]


class JudgeParams(Section):
    """Which of two answers is better, in the opinion of a jury of models."""

    jury: list[Juror]
    rubric: Annotated[list[Criterion], Field(min_length=1)]
    repeats: Count
    items: Count
    max_tokens: Count

    @model_validator(mode="after")
    def _distinct_names(self) -> JudgeParams:
        for what, names in (("jury", [j.name for j in self.jury]), ("rubric", [c.name for c in self.rubric])):
            if len(set(names)) < len(names):
                raise ValueError(f"{what} needs distinct names, got {names}")
        return self
