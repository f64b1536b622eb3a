"""The sections of the model stages."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from acclimate.core.params.fields import Count, Name, Section, Share, Similarity

DomainMetric = Literal["domain_cloze", "domain_bits_per_byte"]


class BaseParams(Section):
    """The model to adapt, and how the embedded tiny one is pre-trained."""

    model: Annotated[str, Field(min_length=1)]
    revision: str | None
    licence: str | None
    vocabulary: Annotated[int, Field(ge=300)]
    hidden: Count
    layers: Count
    heads: Count
    sequence_tokens: Count
    batch_sequences: Count
    steps: Count
    learning_rate: Annotated[float, Field(gt=0)]


class OtherBaseParams(Section):
    """A base beside base.model."""

    name: Name
    folder: Annotated[str, Field(min_length=1)]


class SanityParams(Section):
    """A public task, and the score of the base that was published for it."""

    task: Annotated[str, Field(min_length=1)]
    metric: Annotated[str, Field(min_length=1)]
    published: Share
    tolerance: Share


class BaselineParams(Section):
    """What the base is set beside before anything is trained."""

    candidates: list[OtherBaseParams]
    sanity: SanityParams | None

    @field_validator("candidates")
    @classmethod
    def _names_of_their_own(cls, candidates: list[OtherBaseParams]) -> list[OtherBaseParams]:
        names = ["base", *(candidate.name for candidate in candidates)]
        if len(set(names)) < len(names):
            raise ValueError("two bases have one name (base is base.model's); give each its own")
        return candidates


class ObserveParams(Section):
    """What is measured of a model beside the tasks that decide, and on how much."""

    examples: Annotated[int, Field(ge=0)]
    answers: Annotated[int, Field(ge=0)]
    answer_tokens: Count
    timed_answers: Annotated[int, Field(ge=0)]
    embedder: Annotated[str, Field(min_length=1)]
    robustness_items: Annotated[int, Field(ge=0)]
    groups: Literal["group", "domain_category", "source_kind", "source", "type"] | None
    toxicity: list[Annotated[str, Field(min_length=1)]]
    memorisation_texts: Annotated[int, Field(ge=0)]
    memorised_words: Annotated[int, Field(ge=5)]
    tasks: list[Annotated[str, Field(min_length=1)]]
    behaviour: list[Name]


class ScoreParams(Section):
    """How models are scored, by baseline, evaluate and evaluate_quantized alike; the third observes nothing."""

    batch_items: Count
    max_items: Count | None
    observe: ObserveParams | None = None


class TrainingParams(Section):
    """What the train stages train beside the base, and how."""

    strategy: Literal["lora", "rslora", "dora", "full"]
    base_weights: Literal["float32", "nf4"]
    rank: Count
    alpha: Count
    dropout: Share
    processes: Count
    sharding: Literal["none", "fsdp"]
    rows_at_once: Count | None
    gradient_checkpointing: bool
    separate_texts: bool
    checkpoint_steps: Count


class StepsParams(Section):
    """How the steps of a train stage are taken."""

    enabled: bool
    steps: Count
    sequence_tokens: Count
    batch_sequences: Count
    learning_rate: Annotated[float, Field(gt=0)]
    schedule: Literal["cosine", "linear"]
    warmup_share: Share


class TrainDomainParams(StepsParams):
    """The domain adapter: raw text, and what keeps it from forgetting general text."""

    replay_order: Literal["even", "rising", "falling"]
    penalty: Literal["none", "ewc", "l2_sp"]
    penalty_weight: Annotated[float, Field(gt=0)]


class TrainTaskParams(StepsParams):
    """The task adapter: questions and answers."""

    start_from: Literal["domain", "base"]
    template: Literal["plain", "alpaca", "chatml", "llama3", "model"]
    replay_share: Annotated[float, Field(ge=0, lt=1)]


class AlignParams(StepsParams):
    """Preference tuning: pairs of answers, of which one is to become likelier than the other."""

    beta: Annotated[float, Field(gt=0)]
    held_out_share: Annotated[float, Field(gt=0, lt=1)]


class ComposeParams(Section):
    """How two adapters become one; what a single one is passed on as needs no dial."""

    combination: Literal["cat", "linear", "ties", "dare"]
    domain_weight: Annotated[float, Field(ge=0)]
    task_weight: Annotated[float, Field(ge=0)]
    density: Similarity

    @property
    def plain_sum(self) -> bool:
        """Whether the adapters are added just as they were trained."""
        return self.combination == "cat" and self.domain_weight == self.task_weight == 1


class GateParams(Section):
    """What a candidate must show."""

    superiority: Annotated[list[DomainMetric], Field(min_length=1)]
    min_relative_gain: Annotated[float, Field(ge=0)]
    min_retention: Share
    min_calibration: Share
    alpha: Annotated[float, Field(gt=0, lt=1)]
    power: Annotated[float, Field(gt=0, lt=1)]
    expected_discordance: Annotated[float, Field(gt=0, le=1)]
    max_submissions: Count
    max_unsafe_share: Share
    max_latency_ms: Annotated[float, Field(gt=0)] | None
    max_memory_mb: Annotated[float, Field(gt=0)] | None
    resamples: Annotated[int, Field(ge=200)]

    @field_validator("superiority")
    @classmethod
    def _each_once(cls, metrics: list[DomainMetric]) -> list[DomainMetric]:
        if len(set(metrics)) < len(metrics):
            raise ValueError("a metric named twice would be corrected for twice; name each once")
        return metrics
