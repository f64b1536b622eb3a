"""The section of the endpoint; a Bento carries a copy of this file beside its values."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from acclimate.core.params.fields import Count, Section, Share
from acclimate.core.params.guardrails import GuardrailsParams


class JobsParams(Section):
    """How many jobs are kept, how large, and how long."""

    most: Count
    most_per_key: Count
    requests: Count
    hours: Annotated[float, Field(gt=0)]


class EndpointParams(Section):
    """How much the endpoint takes on, who may ask, and what it keeps of it."""

    engine: Literal["transformers", "vllm"]
    request_seconds: Annotated[float, Field(gt=0)]
    most_waiting: Count
    drain_seconds: Annotated[float, Field(gt=0)]
    keys: Literal["auto", "required"]
    requests_per_minute: Count | None
    tokens_per_day: Count | None
    cors_origins: list[Annotated[str, Field(pattern=r"^https?://[^/*]+$")]]
    log_prompts: bool
    most_adapters: Count
    base_below: Share | None
    jobs: JobsParams
    guardrails: GuardrailsParams
