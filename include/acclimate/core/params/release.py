"""The sections of the release and watch steps."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from acclimate.core.params.fields import Count, Section, Share
from acclimate.core.params.ingest import Url


class QuantizeParams(Section):
    """GPTQ, and what else the model is put into."""

    bits: Literal[2, 3, 4, 8]
    group_size: Literal[32, 64, 128]
    calibration_texts: Count
    calibration_tokens: Count
    forms: list[Literal["gptq-4", "gptq-8", "gguf-f16", "gguf-q8_0", "gguf-q4_k_m"]]

    @model_validator(mode="after")
    def _each_form_once(self) -> QuantizeParams:
        if len(set(self.forms)) < len(self.forms):
            raise ValueError(f"forms are {self.forms}: name each once")
        if (own := f"gptq-{self.bits}") in self.forms:
            raise ValueError(f"forms names {own}, which bits: {self.bits} makes already; take it out")
        return self


class EvaluateQuantizedParams(Section):
    """What quantisation may cost, as a share of the candidate's own score, and how large its result may be."""

    min_retention: Share
    max_size_mb: Annotated[float, Field(gt=0)] | None
    max_memory_mb: Annotated[float, Field(gt=0)] | None
    form_items: Count | None


class PackageParams(Section):
    """What goes into the Bento."""

    weights: Literal["quantized", "merged", "adapter", "gguf-f16", "gguf-q8_0", "gguf-q4_k_m"]
    max_prompt_tokens: Count
    max_new_tokens: Count

    @property
    def is_gguf(self) -> bool:
        """Whether llama.cpp serves it, and transformers what else there is."""
        return self.weights.startswith("gguf-")

    def not_for(self, engine: str) -> str | None:
        """Why the endpoint's engine cannot serve it, if that is so."""
        if engine != "vllm" or self.weights in ("merged", "adapter"):
            return None
        return (
            f"endpoint.engine is vllm and package.weights is {self.weights}: what was judged of a quantised model is "
            "what transformers or llama.cpp makes of it. Set engine to transformers, or weights to merged or adapter"
        )


class HarmBounds(Section):
    """By how much the challenger's share of bad answers may be above the champion's."""

    errors: Annotated[float, Field(gt=0, lt=1)]
    slow: Annotated[float, Field(gt=0, lt=1)]
    complaints: Annotated[float, Field(gt=0, lt=1)]


class RegistryParams(Section):
    """Who says yes to a new champion."""

    approval: bool


class CanaryParams(Section):
    """How a challenger takes over from the champion: share by share, as long as it does no harm."""

    enabled: bool
    shares: Annotated[list[Annotated[float, Field(gt=0, lt=1)]], Field(min_length=1)]
    alpha: Annotated[float, Field(gt=0, lt=1)]
    bounds: HarmBounds
    slow_quantile: Annotated[float, Field(gt=0, lt=1)]
    baseline_requests: Count
    min_requests: Count
    answers_per_user: Count
    step_hours: Annotated[float, Field(gt=0)]

    @field_validator("shares")
    @classmethod
    def _rising(cls, shares: list[float]) -> list[float]:
        if any(later <= earlier for earlier, later in pairwise(shares)):
            raise ValueError(f"must rise from step to step, so that whoever is in stays in; {shares} does not")
        return shares


Column = Annotated[str, Field(min_length=1)]


class TransformParams(Section):
    """How the records of a file are read and answered."""

    question_column: Column
    prompt_column: Column
    id_column: Column
    max_new_tokens: Count | None
    batch_records: Count
    part_records: Count
    s3_endpoint_url: Url | None

    @model_validator(mode="after")
    def _two_columns(self) -> TransformParams:
        if self.question_column == self.prompt_column:
            raise ValueError(
                f"question_column and prompt_column are both {self.question_column!r}, so it would be left open "
                "whether a text takes the form of a question: give the other one a name that no record has"
            )
        return self


class DriftParams(Section):
    """When what is asked no longer looks like what was trained on."""

    min_requests: Count
    alpha: Annotated[float, Field(gt=0, lt=1)]
    permutations: Annotated[int, Field(ge=100)]
