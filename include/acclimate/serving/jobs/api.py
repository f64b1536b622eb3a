"""Jobs: many requests at once, answered when nobody else waits; the client comes back for the answers.

    POST   /api/v1/jobs                {"requests": [{"question": "What does numpy.argsort do?"}, {"prompt": "numpy"}]}
    GET    /api/v1/jobs/5f0c…          {"id": "5f0c…", "status": "running", "requests": 2, "done": 1, …}
    GET    /api/v1/jobs/5f0c…/result   {"outcomes": [{"text": …}, {"error": …, "reason": …}]}
    DELETE /api/v1/jobs/5f0c…

A job is whose key submitted it; for everybody else it is not there.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from acclimate.serving.documented import KEYED, SENT, refusals
from acclimate.serving.jobs.keeper import Keeper, UnfinishedError, UnknownJobError
from acclimate.serving.jobs.record import Job, Outcomes
from acclimate.serving.places import JOBS
from acclimate.serving.plain import Ask

router = APIRouter(prefix=JOBS)


class Jobs(BaseModel):
    """What is submitted: requests as POST /api/v1/generate takes them, which need not fit into one batch."""

    model_config = ConfigDict(extra="forbid", strict=True)

    requests: Annotated[list[Ask], Field(min_length=1)]


class Standing(BaseModel):
    """How far a job is."""

    id: str
    status: Literal["waiting", "running", "finished"]
    requests: int
    done: int
    created: datetime
    expires: datetime
    """It is removed then, finished or not."""


@router.post("", status_code=202, responses=refusals(404, *SENT, 503))
async def submit(jobs: Jobs, request: Request, response: Response) -> Standing:
    """Take a job on, or refuse it as a whole; taken on, it survives a restart of the service."""
    job = await _keeper(request).submit(jobs.requests, _key(request))
    response.headers["Location"] = f"{router.prefix}/{job.id}"
    return _standing(job)


@router.get("/{identity}", responses=refusals(404, 422, *KEYED))
async def status(identity: str, request: Request) -> Standing:
    """How far a job is."""
    return _standing(_keeper(request).find(identity, _key(request)))


@router.get("/{identity}/result", responses=refusals(404, 409, 422, *KEYED))
async def result(identity: str, request: Request) -> Outcomes:
    """What became of the requests, in their order: an answer of each, or why there is none."""
    job = _keeper(request).find(identity, _key(request))
    if not job.finished:
        raise UnfinishedError(f"{job.done} of {job.requests} requests are dealt with")
    try:
        return Outcomes(outcomes=await asyncio.to_thread(job.outcomes))
    except FileNotFoundError:
        raise UnknownJobError("the job was removed meanwhile") from None


@router.delete("/{identity}", status_code=204, responses=refusals(404, 422, *KEYED))
async def cancel(identity: str, request: Request) -> None:
    """End a job and remove what there is of it, finished or not."""
    keeper = _keeper(request)
    keeper.remove(keeper.find(identity, _key(request)))


def _keeper(request: Request) -> Keeper:
    keeper: Keeper = request.app.state.keeper
    return keeper


def _key(request: Request) -> str | None:
    key: str | None = request.scope["acclimate"].key
    return key


def _standing(job: Job) -> Standing:
    status: Literal["waiting", "running", "finished"] = "running" if job.done else "waiting"
    return Standing(
        id=job.id,
        status="finished" if job.finished else status,
        requests=job.requests,
        done=job.done,
        created=job.created,
        expires=job.expires,
    )
