"""The section of the evaluation set that people are asked with."""

from __future__ import annotations

from typing import Literal, TypeVar

from pydantic import model_validator

from acclimate.core.params.fields import Count, Section, Share, Similarity

Shares = TypeVar("Shares", bound=Section)


class KindShares(Section):
    """What share of the evaluation set each kind of source fills."""

    customer_queries: Share
    expert: Share
    benchmarks: Share
    failure_cases: Share
    edge_cases: Share

    @model_validator(mode="after")
    def _sum_to_one(self) -> KindShares:
        return _summing_to_one(self)


class DifficultyShares(Section):
    """What share of each kind's examples is how hard."""

    easy: Share
    medium: Share
    hard: Share

    @model_validator(mode="after")
    def _sum_to_one(self) -> DifficultyShares:
        return _summing_to_one(self)


class EvaluationSetParams(Section):
    """The evaluation set: how many examples, of which kinds, how good."""

    examples: Count
    kinds: KindShares
    difficulties: DifficultyShares
    min_quality: Share
    min_annotation_confidence: Share
    unreviewed_confidence: Share
    duplicate_threshold: Similarity
    easy_below: Share
    hard_from: Share
    on_shortfall: Literal["fill", "leave", "stop"]

    @model_validator(mode="after")
    def _easy_before_hard(self) -> EvaluationSetParams:
        if self.easy_below > self.hard_from:
            raise ValueError(f"easy_below ({self.easy_below}) must not exceed hard_from ({self.hard_from})")
        return self


def _summing_to_one(shares: Shares) -> Shares:
    values: dict[str, float] = shares.model_dump()
    if abs(sum(values.values()) - 1) > 1e-9:
        raise ValueError(f"{' + '.join(values)} must be 1, got {sum(values.values()):g}")
    return shares
