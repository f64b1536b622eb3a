"""The sections of the data stages after ingest."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from acclimate.core.params.fields import Count, Name, Section, Share, Similarity


class ValidateParams(Section):
    """Row rules quarantine a record; batch rules stop the run, most of them against the batch accepted last."""

    min_characters: Count
    max_characters: Count
    languages: Annotated[list[str], Field(min_length=1)]
    min_documents: Count
    max_quarantined_share: Share
    max_volume_drop: Share
    max_null_increase: Share
    max_language_shift: Share
    max_length_shift: Share


class CleanParams(Section):
    """What a text loses, and what it must be afterwards."""

    boilerplate_share: Similarity
    redact: list[Literal["key", "email", "iban", "card", "national_id", "phone", "ip"]]
    redact_patterns: dict[Name, str]
    min_words: Count
    max_words: Count
    min_quality: Share

    @field_validator("redact_patterns")
    @classmethod
    def _are_expressions(cls, patterns: dict[str, str]) -> dict[str, str]:
        for kind, pattern in patterns.items():
            try:
                re.compile(pattern)
            except re.error as fault:
                raise ValueError(f"{kind}: {pattern!r} is no regular expression: {fault}") from None
        return patterns


class SplitParams(Section):
    """Three stores by near-duplicate cluster and group, and the evaluation items drawn from the test store."""

    validation_share: Share
    test_share: Share
    cluster_threshold: Similarity
    boilerplate_documents: Count
    cloze_items: Count
    cloze_left_characters: Count
    cloze_right_characters: Count
    bits_per_byte_documents: Count

    @model_validator(mode="after")
    def _training_remains(self) -> SplitParams:
        if self.validation_share + self.test_share >= 1:
            raise ValueError("validation_share + test_share must leave a share for training")
        return self


class DedupParams(Section):
    """Near-duplicates inside each store."""

    threshold: Similarity
    shingle_words: Count
    engine: Literal["local", "text-dedup", "spark"]
    spark_master: Annotated[str, Field(pattern=r"^(local\[(\d+|\*)\]|spark://\S+|yarn|k8s://\S+)$")] | None
    """Of the engine spark; by default this machine's common.threads."""


class MixParams(Section):
    """Composition of the training set, shares of its bytes."""

    strategy: Literal["static_balanced", "quality_weighted", "adaptive_quality", "curriculum_progression"]
    domain_documents: Share
    domain_questions: Share
    general_replay: Share
    diverse: bool
    balance_difficulty: bool
    kilobytes: Count
    max_document_characters: Count
    bytes_per_token: Annotated[float, Field(gt=0)]
    canaries: Annotated[int, Field(ge=0, le=1000)] = 0
    canary_repeats: Count = 16

    @model_validator(mode="after")
    def _shares_sum_to_one(self) -> MixParams:
        total = self.domain_documents + self.domain_questions + self.general_replay
        if abs(total - 1) > 1e-9:
            raise ValueError(f"domain_documents + domain_questions + general_replay must be 1, got {total:g}")
        return self
