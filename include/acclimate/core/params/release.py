"""The sections of the release and watch steps."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from acclimate.core.params.fields import Count, Section, Share


class QuantizeParams(Section):
    """GPTQ."""

    bits: Literal[2, 3, 4, 8]
    group_size: Literal[32, 64, 128]
    calibration_texts: Count
    calibration_tokens: Count


class EvaluateQuantizedParams(Section):
    """What quantisation may cost, as a share of the candidate's own score."""

    min_retention: Share


class PackageParams(Section):
    """What goes into the Bento."""

    weights: Literal["quantized", "merged"]
    max_prompt_tokens: Count
    max_new_tokens: Count


class RegistryParams(Section):
    """Who says yes to a new champion."""

    approval: bool


class DriftParams(Section):
    """When what is asked no longer looks like what was trained on."""

    min_requests: Count
    alpha: Annotated[float, Field(gt=0, lt=1)]
    permutations: Annotated[int, Field(ge=100)]
