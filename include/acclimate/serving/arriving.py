"""Before a request is put into a queue: whether it is of the domain at all, and whether who is asked is in memory.

    with ExitStack() as held:
        wish = await arrived(held, request.app.state, ask.wish())

Where `endpoint.base_below` is set, a question that is left open to whoever answers goes to the bare base if it is less
likely of the domain than that, and to the adapted model otherwise.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from contextlib import ExitStack
from typing import Any

from prometheus_client import Histogram

from acclimate.serving.asking import Wish
from acclimate.serving.faults import FullError
from acclimate.serving.roster import Roster
from acclimate.serving.shared_base import BASE

ROUTED = Histogram("acclimate_routed_seconds", "Seconds of a request whose text decided who answers", ["route"])


async def arrived(held: ExitStack, state: Any, wish: Wish) -> Wish:
    """The wish, with the base named where the text is not of the domain; who is named is in memory when this returns.

    Args:
        held: closed when the request is over.
        state: of the application.
        wish: what is asked. To be put into the queue at once: at the next await who is asked may have to go.

    Raises:
        UnknownModelError, NotReadyError: if who is named cannot be brought into memory.
        FullError: if as many wait for that as may.
        TimeoutError: if it takes longer than a request may.
    """
    roster, settings = state.roster, state.settings
    if settings.base_below is not None and (route := _route(roster, wish, settings.base_below)):
        begun = time.perf_counter()
        held.callback(lambda: ROUTED.labels(route).observe(time.perf_counter() - begun))
        wish = dataclasses.replace(wish, model=BASE) if route == BASE else wish
    key = None if wish.model is None else roster.shelf.key(wish.model)
    if key is not None and not roster.why():  # without a champion nobody answers, and the queue says so
        if roster.shelf.waiting >= settings.most_waiting:
            raise FullError(f"{roster.shelf.waiting} requests wait for a model to be loaded already")
        async with asyncio.timeout(settings.request_seconds):
            await roster.shelf.bring(key)
    return wish


def _route(roster: Roster, wish: Wish, threshold: float) -> str | None:
    """'base' or 'adapted'; None where it is not the text that decides."""
    if not roster.leaves_open(wish.model):
        return None
    champion = roster.serves["champion"][1]
    if champion.relevance is None or champion.bare is None:
        return None
    return BASE if champion.relevance.of(wish.topic) < threshold else "adapted"
