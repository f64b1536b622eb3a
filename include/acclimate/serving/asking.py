"""One request to a model, from who answers it to its last token; the same under every API.

A request holds its model in memory until it is over. It is over when it is answered, when its time is up, or when
the client hangs up; the model then stops writing for it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from fastapi import Request
from prometheus_client import Counter

from acclimate.serving.faults import GoneError, TooLongError
from acclimate.serving.generation import Completion, Prompt
from acclimate.serving.places import append

if TYPE_CHECKING:
    from acclimate.serving.access import Told
    from acclimate.serving.batching import Batcher, Ticket
    from acclimate.serving.models import Model
    from acclimate.serving.prompts import Reading

GENERATED = Counter("acclimate_generated_tokens_total", "Tokens written", ["version"])
READ = Counter("acclimate_prompt_tokens_total", "Prompt tokens read", ["version"])

T = TypeVar("T")


@dataclass(frozen=True)
class Wish:
    """What is asked of whom, and how the answer is to be chosen (see generation.Prompt)."""

    reading: Reading
    model: str | None = None
    user: str | None = None
    max_new_tokens: int | None = None
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()


@dataclass(eq=False)
class Exchange:
    """A request that stands in the queue of its model."""

    batcher: Batcher
    ticket: Ticket
    model: Model
    text: str
    prompt_tokens: int
    told: Told
    seconds: float
    pieces: asyncio.Queue[str]
    begun: float = field(default_factory=time.perf_counter)

    async def completion(self) -> Completion:
        """The whole answer; raises TimeoutError if it takes longer than it may."""
        async with asyncio.timeout(self.seconds):
            completion = await self.batcher.answer(self.ticket)
        self.told.new_tokens = (self.told.new_tokens or 0) + completion.new_tokens
        self.told.finish_reason = completion.finish_reason
        READ.labels(self.model.version).inc(self.prompt_tokens)
        GENERATED.labels(self.model.version).inc(completion.new_tokens)
        return completion

    async def stream(self) -> AsyncIterator[str | Completion]:
        """The answer in pieces as it is written, and then what it was as a whole."""
        answer = asyncio.create_task(self.completion())
        answer.add_done_callback(lambda _: self.pieces.put_nowait(""))
        try:
            while piece := await self.pieces.get():
                yield piece
            yield await answer
        finally:
            answer.cancel()


@contextmanager
def asked(request: Request, wish: Wish, *, stream: bool = False) -> Iterator[Exchange]:
    """Choose who answers, see that the request is within its limits, and put it into the queue.

    Raises:
        NotReadyError: if nobody answers yet.
        UnknownModelError: if nobody of that name does.
        TooLongError: if the prompt or what is asked for is longer than the model was packaged for.
        FullError: if too many wait already.
    """
    state, told = request.app.state, request.scope["acclimate"]
    address = request.client.host if request.client else ""
    told.role, model = state.roster.pick(wish.model, wish.user or told.key or address)
    told.version = model.version
    loop, pieces = asyncio.get_running_loop(), asyncio.Queue[str]()

    def _tell(piece: str) -> None:
        loop.call_soon_threadsafe(pieces.put_nowait, piece)

    with model.in_use():
        text, prompt = fitted(model, wish)
        told.prompt_tokens = (told.prompt_tokens or 0) + len(prompt.tokens)
        ticket = state.batcher.enter(model, prompt, _tell if stream else None)
        seconds = state.settings.request_seconds
        exchange = Exchange(state.batcher, ticket, model, text, len(prompt.tokens), told, seconds, pieces)
        try:
            yield exchange
        finally:
            state.batcher.give_up(ticket)
            if not ticket.answer.done():  # given up: what was written until then was written for it
                told.new_tokens = (told.new_tokens or 0) + len(ticket.row.written)
            _keep(request, exchange)


def fitted(model: Model, wish: Wish) -> tuple[str, Prompt]:
    """The prompt as text and as the model is given it; raises TooLongError rather than cut anything."""
    text, tokens = wish.reading(model)
    most = model.manifest["max_new_tokens"]
    wanted = most if wish.max_new_tokens is None else wish.max_new_tokens
    _require_at_most(len(tokens), model.manifest["max_prompt_tokens"], "prompt tokens")
    _require_at_most(wanted, most, "new tokens asked for")
    return text, Prompt(tokens, wanted, wish.temperature, wish.top_p, wish.seed, wish.stop)


async def unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """What `work` returns; raises GoneError as soon as the client hangs up, and `work` is cancelled."""
    answer, gone = asyncio.ensure_future(work), asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            raise GoneError("the client hung up")
        return answer.result()
    finally:
        answer.cancel()
        gone.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        continue


def _require_at_most(value: int, limit: int, what: str) -> None:
    if value > limit:
        raise TooLongError(f"{value} {what}; at most {limit} are allowed")


def _keep(request: Request, exchange: Exchange) -> None:
    """Note what was asked, if it was answered; nothing that identifies who asked."""
    places, settings = request.app.state.places, request.app.state.settings
    answer = exchange.ticket.answer
    answered = answer.done() and not answer.cancelled() and answer.exception() is None
    if places is None or not settings.log_prompts or not answered:
        return
    row = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "version": exchange.model.version,
        "prompt": exchange.text,
        "prompt_tokens": exchange.prompt_tokens,
        "new_tokens": answer.result().new_tokens,
        "latency_s": round(time.perf_counter() - exchange.begun, 4),
    }
    append(places.requests, row)
