"""Who answers here, and whether anybody does: live is not ready."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

from acclimate.serving.state import ROLES

router = APIRouter()


@router.get("/api/v1/health")
async def health(request: Request) -> JSONResponse:
    """Live as soon as it answers; ready, with status 200 instead of 503, once there is a champion to ask.

    Of each role the manifest is told: version, hashes, limits, the gate's verdict.
    """
    roster = request.app.state.roster
    served = {role: roster.serves[role][1].manifest if role in roster.serves else None for role in ROLES}
    why = roster.why()
    said = {
        "live": True,
        "ready": not why,
        "why": why,
        "roles": served,
        "share": request.app.state.referee.share,
        "loading": roster.loading.version if roster.loading else None,
        "refused": {packaged.version: reason for packaged, reason in roster.refused.items()},
        "fault": roster.fault,
    }
    return JSONResponse(said, status_code=503 if why else 200)


@router.get("/metrics")
async def metrics() -> Response:
    """What was counted since the process started, for Prometheus."""
    return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)
