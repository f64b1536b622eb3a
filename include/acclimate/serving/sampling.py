"""How an answer may be asked to be chosen: the ranges of the dials, the same in every API."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

MOST_STOPS = 4
"""As OpenAI's API has it."""


def _listed(stop: object) -> object:
    """One string, several or none, as a tuple: what JSON can hold of it."""
    if stop is None:
        return ()
    return (stop,) if isinstance(stop, str) else tuple(stop) if isinstance(stop, list) else stop


Temperature = Annotated[float, Field(ge=0, le=2)]
TopP = Annotated[float, Field(gt=0, le=1)]
Seed = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Stop = Annotated[
    tuple[Annotated[str, Field(min_length=1, max_length=64)], ...],
    Field(max_length=MOST_STOPS),
    BeforeValidator(_listed, json_schema_input_type=str | list[str] | None),
]
