"""The sections of the model stages."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from acclimate.core.params.fields import Count, Section, Share


class BaseParams(Section):
    """The model to adapt, and how the embedded tiny one is pre-trained."""

    model: Annotated[str, Field(min_length=1)]
    revision: str | None
    vocabulary: Annotated[int, Field(ge=300)]
    hidden: Count
    layers: Count
    heads: Count
    sequence_tokens: Count
    batch_sequences: Count
    steps: Count
    learning_rate: Annotated[float, Field(gt=0)]


class ObserveParams(Section):
    """What is measured of a model beside the tasks that decide, and on how much."""

    examples: Annotated[int, Field(ge=0)]
    answers: Annotated[int, Field(ge=0)]
    answer_tokens: Count
    embedder: Annotated[str, Field(min_length=1)]
    robustness_items: Annotated[int, Field(ge=0)]
    groups: Literal["group", "domain_category", "source_kind", "source", "type"] | None
    toxicity: list[Annotated[str, Field(min_length=1)]]
    memorisation_texts: Annotated[int, Field(ge=0)]
    memorised_words: Annotated[int, Field(ge=5)]
    tasks: list[Annotated[str, Field(min_length=1)]]


class ScoreParams(Section):
    """How models are scored, by baseline, evaluate and evaluate_quantized alike; the third observes nothing."""

    batch_items: Count
    max_items: Count | None
    observe: ObserveParams | None = None


class TrainingParams(Section):
    """What both train stages train beside the base, and how."""

    strategy: Literal["lora", "rslora", "dora"]
    rank: Count
    alpha: Count
    dropout: Share


class TrainDomainParams(Section):
    """The domain adapter: raw text."""

    enabled: bool
    steps: Count
    sequence_tokens: Count
    batch_sequences: Count
    learning_rate: Annotated[float, Field(gt=0)]
    schedule: Literal["cosine", "linear"]
    warmup_share: Share


class TrainTaskParams(TrainDomainParams):
    """The task adapter: questions and answers. Its steps have the same dials as the domain adapter's."""

    start_from: Literal["domain", "base"]
    template: Literal["plain", "alpaca", "chatml", "llama3", "model"]
    replay_share: Annotated[float, Field(ge=0, lt=1)]


class GateParams(Section):
    """What a candidate must show."""

    min_relative_gain: float
    alpha: Annotated[float, Field(gt=0, lt=1)]
    min_retention: Share
    resamples: Annotated[int, Field(ge=200)]
