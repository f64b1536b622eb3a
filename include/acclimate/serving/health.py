"""Who answers here, and whether anybody does: live is not ready."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from pydantic import BaseModel

from acclimate.serving.documented import KEYED, Responses, refusals
from acclimate.serving.shelf import Shelf
from acclimate.serving.state import ROLES, Role

router = APIRouter()


class Offered(BaseModel):
    """A model of another domain, which is loaded when it is asked for."""

    version: str
    in_memory: bool
    refused: str
    """Why it cannot be served; empty if it can."""


class Health(BaseModel):
    """What the endpoint says of itself."""

    live: bool
    ready: bool
    why: str
    """Why it is not ready; empty if it is."""
    roles: dict[Role, dict[str, Any] | None]
    """Of each role the manifest: version, hashes, limits, the gate's verdict."""
    share: float
    """Of the users, that a challenger answers."""
    loading: str | None
    """A version."""
    refused: dict[str, str]
    """Versions that cannot be served, and why."""
    adapters: dict[str, Offered]
    """Of other domains, by the name of the registered model."""
    fault: str
    """Why the state file cannot be read; empty if it can."""


NOT_READY: Responses = {503: {"model": Health, "description": "Not ready; `why` says why."}}


@router.get("/api/v1/health", responses={200: {"model": Health}, **NOT_READY, **refusals(*KEYED)})
async def health(request: Request) -> JSONResponse:
    """Live as soon as it answers; ready, with status 200 instead of 503, once there is a champion to ask."""
    roster = request.app.state.roster
    served = {role: roster.serves[role][1].manifest if role in roster.serves else None for role in ROLES}
    why = roster.why()
    said = Health(
        live=True,
        ready=not why,
        why=why,
        roles=served,
        share=request.app.state.referee.share,
        loading=roster.loading.version if roster.loading else None,
        refused={packaged.version: reason for packaged, reason in roster.refused.items()},
        adapters=_offered(roster.shelf),
        fault=roster.fault,
    )
    return JSONResponse(said.model_dump(), status_code=503 if why else 200)


def _offered(shelf: Shelf) -> dict[str, Offered]:
    return {
        name: Offered(
            version=packaged.version, in_memory=name in shelf.present, refused=shelf.refused.get(packaged, "")
        )
        for name, packaged in shelf.offered.items()
    }


TEXT: Responses = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}


@router.get("/metrics", response_class=Response, responses={**TEXT, **refusals(*KEYED)})
async def metrics() -> Response:
    """What was counted since the process started, for Prometheus."""
    return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)
