"""What sections of params.yaml are made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]
Similarity = Annotated[float, Field(gt=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class Section(BaseModel):
    """A frozen section that rejects unknown keys and does not guess types ("0.8" is not 0.8)."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class CommonParams(Section):
    """Read by every stage."""

    seed: Annotated[int, Field(ge=0)]
    threads: Count
    min_free_disk_mb: Annotated[int, Field(ge=0)]
