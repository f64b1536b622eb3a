"""What the canary says of itself, and what users say of answers.

    GET  /api/v1/canary
    POST /api/v1/feedback        {"id": "5f0c…", "score": 0.0}

`id` is that of the answer (the header X-Request-Id of every answer), so only who has the answer can rate it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from acclimate.serving.documented import KEYED, SENT, refusals
from acclimate.serving.places import append

router = APIRouter(prefix="/api/v1")

COMPLAINT = 0.5
"""A score below this is a complaint: thumbs down is 0, thumbs up 1."""


class Feedback(BaseModel):
    """What somebody thinks of an answer."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: Annotated[str, Field(min_length=1, max_length=256)]
    score: Annotated[float, Field(ge=0, le=1)]
    """0: useless or wrong; 1: good."""


@router.get("/canary", responses={200: {"model": dict[str, Any]}, **refusals(404, *KEYED)})
async def canary(request: Request) -> JSONResponse:
    """State and evidence; 404 if there has been none."""
    told = request.app.state.referee.told()
    if told is None:
        return JSONResponse({"error": "no canary has been started", "reason": "no_canary"}, status_code=404)
    return JSONResponse(told)


@router.post("/feedback", status_code=202, responses=refusals(*SENT))
async def feedback(given: Feedback, request: Request) -> dict[str, Any]:
    """Keep the score; `counted` says whether it counted as a complaint in the present step of a canary."""
    state = request.app.state
    counted = given.score < COMPLAINT and state.referee.complained(given.id)
    if state.places is not None:
        row = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), **given.model_dump()}
        append(state.places.feedback, row)
    return {"counted": counted}
