"""The HTTP application: what it keeps while it runs, and how faults are told."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match

from acclimate.core.params.endpoint import EndpointParams
from acclimate.release.weights import import_libraries
from acclimate.serving import health, openai_api, plain
from acclimate.serving.batching import Batcher
from acclimate.serving.canary import api as canary
from acclimate.serving.canary.referee import Referee
from acclimate.serving.engine import Library
from acclimate.serving.engine_vllm import ByVllm, python_with_vllm
from acclimate.serving.faults import RefusedError, refusal, said_of
from acclimate.serving.generation import complete
from acclimate.serving.guardrails.rails import Rails
from acclimate.serving.jobs import api as jobs
from acclimate.serving.jobs.keeper import Keeper
from acclimate.serving.keys import KeyRing
from acclimate.serving.limits import used_so_far
from acclimate.serving.models import TRANSFORMERS, load, packaged_in
from acclimate.serving.places import Places
from acclimate.serving.roster import Roster
from acclimate.serving.state import Serving

logger = logging.getLogger("bentoml.acclimate")

ROUTERS = (health.router, plain.router, openai_api.router, canary.router, jobs.router)
PREPARE_AFTER_SECONDS = 20.0
"""Not at once: beside a service that is started, the rest of a machine's services often are too."""


def build(settings: EndpointParams, places: Places | None, own: Path) -> FastAPI:
    """The application.

    Args:
        settings: its dials.
        places: the endpoint's folder; the state file in it says what is served.
        own: the Bento's folder, whose model is served if there is no state file.
    """

    @asynccontextmanager
    async def _running(app: FastAPI) -> AsyncIterator[None]:
        app.state.batcher = Batcher(complete, settings.most_waiting)
        app.state.roster = Roster(partial(load, library=library(settings)), settings.most_adapters)
        tasks = [needed(app.state.batcher.run())]
        if places is not None and places.serving.exists():
            tasks.append(needed(app.state.roster.follow(places.serving)))
            tasks.append(needed(app.state.referee.follow(app.state.roster)))
            if settings.engine == "transformers":
                tasks.append(needed(_prepare(app.state.roster)))
        else:
            await app.state.roster.bring(Serving(champion=packaged_in(own)))
        if places is not None:
            batcher, roster, limits = app.state.batcher, app.state.roster, app.state.limits
            app.state.keeper = Keeper(places, settings, batcher, roster, KeyRing(places), limits)
            tasks.append(needed(app.state.keeper.run()))
        yield
        for task in tasks:
            task.cancel()

    app = FastAPI(title="Acclimate", lifespan=_running, docs_url=None, redoc_url=None)
    app.state.settings, app.state.places = settings, places
    app.state.referee = Referee(places.canary if places is not None else None)
    app.state.limits, app.state.rails = used_so_far(places), Rails(settings.guardrails)
    for router in ROUTERS:
        if router is not jobs.router or places is not None:  # without a folder a job would not survive anything
            app.include_router(router)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _other)
    for kind in (RefusedError, TimeoutError, Exception):
        app.add_exception_handler(kind, _refused)
    return app


def library(settings: EndpointParams) -> Library:
    """What computes with models in safetensors; raises EngineError if it is not there."""
    if settings.engine == "transformers":
        return TRANSFORMERS
    # Champion, challenger, one on its way in and one on its way out, besides those of other domains.
    return ByVllm(python_with_vllm(), adapters=settings.most_adapters + 4)


def needed(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """What runs beside the requests, as a task. If it fails the process ends, to be started anew.

    Without one of these nobody would be answered any more, or the wrong model would answer, and it would look well.
    """

    def _end_with(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (fault := task.exception()) is not None:
            logger.critical("a part of the service has failed, so the process ends", exc_info=fault)
            signal.raise_signal(signal.SIGTERM)

    task = asyncio.create_task(work)
    task.add_done_callback(_end_with)
    return task


async def _prepare(roster: Roster) -> None:
    """While there is nobody to serve, import what the first champion will need."""
    await asyncio.sleep(PREPARE_AFTER_SECONDS)
    if not roster.serves:
        await asyncio.get_running_loop().run_in_executor(None, import_libraries)


async def _invalid(request: Request, fault: Exception) -> JSONResponse:
    assert isinstance(fault, RequestValidationError)
    told = "; ".join(f"{'.'.join(map(str, error['loc'][1:])) or 'body'}: {error['msg']}" for error in fault.errors())
    return refusal(request.url.path, 422, "invalid", told)


async def _other(request: Request, fault: Exception) -> JSONResponse:
    assert isinstance(fault, HTTPException)
    answer = refusal(request.url.path, fault.status_code, "invalid", str(fault.detail))
    answer.headers.update(fault.headers or {})
    if fault.status_code == 405 and (methods := _methods(request)):
        answer.headers["Allow"] = ", ".join(methods)
    return answer


def _methods(request: Request) -> list[str]:
    """What a path of ours takes, all of it (RFC 9110, 10.2.1): Starlette names the methods of one route."""
    routes: list[Any] = [route for router in ROUTERS for route in router.routes]
    matching = (route for route in routes if route.matches(request.scope)[0] is not Match.NONE)
    return sorted({method for route in matching for method in route.methods})


async def _refused(request: Request, fault: Exception) -> JSONResponse:
    return refusal(request.url.path, *said_of(fault), getattr(fault, "retry_after", None))
