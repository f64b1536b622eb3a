"""The section of `acclimate manifests`: what Kubernetes and Istio are told of the released models."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from acclimate.core.params.fields import Count, Section

LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
"""A name as Kubernetes takes it (RFC 1123, label)."""
HOST = rf"{LABEL}(\.{LABEL})*"

Label = Annotated[str, Field(pattern=rf"^{LABEL}$", max_length=63)]


class Replicas(Section):
    """How many pods a version has, and when it gets one more."""

    least: Count
    most: Count
    cpu_percent: Annotated[int, Field(ge=1, le=100)]

    @model_validator(mode="after")
    def _least_is_least(self) -> Replicas:
        if self.most < self.least:
            raise ValueError(f"most is {self.most} and least is {self.least}: most must not be below least")
        return self


class Gateway(Section):
    """Where requests from outside the mesh come in."""

    name: Annotated[str, Field(pattern=rf"^{LABEL}/{LABEL}$")]
    host: Annotated[str, Field(pattern=rf"^{HOST}$", max_length=253)]


class ManifestsParams(Section):
    """What runs the released models on Kubernetes, and splits requests between them."""

    image: Annotated[str, Field(pattern=rf"^{HOST}(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$")]
    namespace: Label
    replicas: Replicas
    memory_mb: Count
    keys_secret: Label
    gateway: Gateway | None
