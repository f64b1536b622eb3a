"""What may be asked and answered; a Bento carries a copy of this file beside its values."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator

from acclimate.core.params.fields import Name, Section

_NOT_LINEAR = re.compile(r"\(\?<?[=!]|\(\?P=|\\[1-9]")
"""Look-around and back-references: what no engine matches in linear time."""
Kind = Literal["key", "email", "iban", "card", "national_id", "phone", "ip"]
"""As clean.redact has them."""


class GuardrailsParams(Section):
    """What is taken out of questions and answers, what is not answered, and what is said instead or besides."""

    pii_in: Literal["leave", "redact", "refuse"]
    pii_out: Literal["leave", "redact"]
    pii_kinds: list[Kind]
    injection: Literal["leave", "flag", "refuse"]
    injection_patterns: Annotated[dict[Name, str], Field(max_length=64)]
    topics: Annotated[dict[Name, str], Field(max_length=64)]
    refusal: Annotated[str, Field(min_length=1)]
    disclaimer: str

    @field_validator("injection_patterns", "topics")
    @classmethod
    def _are_linear_expressions(cls, patterns: dict[str, str]) -> dict[str, str]:
        for name, pattern in patterns.items():
            try:
                re.compile(pattern)
            except re.error as fault:
                raise ValueError(f"{name}: {pattern!r} is no regular expression: {fault}") from None
            if found := _NOT_LINEAR.search(pattern):
                raise ValueError(
                    f"{name}: {pattern!r} has {found[0]!r}: look-around and back-references can take for ever on a "
                    "text that is made for it; say it without"
                )
        return patterns
