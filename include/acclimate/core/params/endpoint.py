"""The section of the endpoint; a Bento carries a copy of this file beside its values."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from acclimate.core.params.fields import Count, Section


class EndpointParams(Section):
    """How much the endpoint takes on, and how long it tries."""

    request_seconds: Annotated[float, Field(gt=0)]
    most_waiting: Count
