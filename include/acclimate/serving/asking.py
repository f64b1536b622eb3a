"""One request to a model, from who answers it to its last token; the same under every API.

A request holds its model in memory until it is over. It is over when it is answered, when its time is up, or when
the client hangs up; the model then stops writing for it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from fastapi import Request
from prometheus_client import Counter

from acclimate.serving.batching import Ticket
from acclimate.serving.faults import GoneError, TooLongError
from acclimate.serving.generation import Completion, Prompt, Row
from acclimate.serving.guardrails.passage import Passage
from acclimate.serving.places import append

if TYPE_CHECKING:
    from acclimate.serving.access import Told
    from acclimate.serving.batching import Batcher
    from acclimate.serving.canary.referee import Draw
    from acclimate.serving.models import Model
    from acclimate.serving.prompts import Reading

GENERATED = Counter("acclimate_generated_tokens_total", "Tokens written", ["version"])
READ = Counter("acclimate_prompt_tokens_total", "Prompt tokens read", ["version"])

T = TypeVar("T")

logger = logging.getLogger("acclimate.endpoint")


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
    topic: str = ""
    """What the user says, without the form that it takes: by this it is told whether it is of the domain."""


@dataclass(eq=False)
class Exchange:
    """A request that stands in the queue of its model."""

    batcher: Batcher
    ticket: Ticket
    text: str
    told: Told
    passage: Passage
    seconds: float
    pieces: asyncio.Queue[str]
    instead: Callable[[], tuple[Ticket, str]] | None = None
    """Puts the request into the queue again, for the champion; None where it was asked first."""
    begun: float = field(default_factory=time.perf_counter)
    failed: bool = False
    """Whether the model that was asked first could not answer, or not in time."""

    @property
    def model(self) -> Model:
        """Who answers."""
        return self.ticket.model

    @property
    def prompt_tokens(self) -> int:
        """How long the prompt is, as the model reads it."""
        return len(self.ticket.row.prompt.tokens)

    async def completion(self) -> Completion:
        """The whole answer; raises TimeoutError if it takes longer than it may."""
        try:
            async with asyncio.timeout(self.seconds):
                completion = self.passage.finished(await self._answer())
        except TimeoutError:
            completion = self.passage.finished(self._at_hand())
        self.told.new_tokens = (self.told.new_tokens or 0) + completion.new_tokens
        self.told.finish_reason = completion.finish_reason
        READ.labels(self.model.label).inc(self.prompt_tokens)
        GENERATED.labels(self.model.label).inc(completion.new_tokens)
        return completion

    def _at_hand(self) -> Completion:
        """The answer, if it came while the process stood still, and its time was up before anybody looked.

        Where the machine stops for a while (a full disk's cache, a virtual machine that is moved, a process that is
        stopped) everybody's time is up at once, and whoever was answered meanwhile would be told 504.

        Raises:
            TimeoutError: if there is none.
        """
        answer = self.ticket.answer
        if not answer.done() or answer.cancelled():
            self.failed = True
            raise TimeoutError
        self.failed = self.failed or answer.exception() is not None
        return answer.result()

    async def _answer(self) -> Completion:
        """Of the model that was asked, or of the champion if a challenger fails before it has written anything."""
        try:
            return await self.batcher.answer(self.ticket)
        except Exception:
            self.failed = True
            if self.instead is None or self.ticket.row.written:
                raise
            logger.exception("version %s failed; the champion answers instead", self.model.version)
        self.ticket, self.text = self.instead()
        self.told.role = "champion"
        return await self.batcher.answer(self.ticket)

    async def stream(self) -> AsyncIterator[str | Completion]:
        """The answer in pieces as it is written, and then what it was as a whole."""
        answer, withholding = asyncio.create_task(self.completion()), self.passage.withholding()
        answer.add_done_callback(lambda _: self.pieces.put_nowait(""))
        try:
            while piece := await self.pieces.get():
                if known := withholding.take(piece):
                    yield known
            completion = await answer
            if rest := withholding.rest() + self.passage.last(completion):
                yield rest
            yield completion
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
    draw = _drawn(request, wish)
    told.role, model = state.roster.pick(wish.model, draw.role if draw else "champion")
    loop, pieces = asyncio.get_running_loop(), asyncio.Queue[str]()

    def _tell(piece: str) -> None:
        loop.call_soon_threadsafe(pieces.put_nowait, piece)

    passage = Passage(state.rails, wish.reading, told.guarded)

    with ExitStack() as held:

        def _enter(model: Model) -> tuple[Ticket, str]:
            held.enter_context(model.in_use())
            told.version = model.label
            text, prompt = admitted(model, wish, passage)
            told.prompt_tokens = (told.prompt_tokens or 0) + len(prompt.tokens)
            if passage.refused:
                return _refused(model, prompt, passage), text
            return state.batcher.enter(model, prompt, _tell if stream else None), text

        seconds = state.settings.request_seconds
        exchange = Exchange(state.batcher, *_enter(model), told, passage, seconds, pieces)
        if draw and draw.role == "challenger":
            exchange.instead = lambda: _enter(state.roster.pick("champion")[1])
        try:
            yield exchange
        finally:
            state.batcher.give_up(exchange.ticket)
            if not exchange.ticket.answer.done():  # given up: what was written until then was written for it
                told.new_tokens = (told.new_tokens or 0) + len(exchange.ticket.row.written)
            _keep(request, exchange)
            if draw and not passage.refused:  # no model was asked
                spent = time.perf_counter() - exchange.begun
                state.referee.finished(draw, told.id, error=exchange.failed, seconds=spent)


def _drawn(request: Request, wish: Wish) -> Draw | None:
    """Whom a canary asks, if there is one and it is left open who answers."""
    state, told = request.app.state, request.scope["acclimate"]
    if not state.roster.leaves_open(wish.model):
        return None
    # The users of one application are not those of another that happen to have the same names.
    user = f"{told.key}/{wish.user}" if wish.user else None
    draw: Draw | None = state.referee.ask(user, told.id, state.roster.versions())
    return draw


def _refused(model: Model, prompt: Prompt, passage: Passage) -> Ticket:
    """A place in no queue, with the refusal for an answer."""
    answer: asyncio.Future[Completion] = asyncio.get_running_loop().create_future()
    answer.set_result(passage.refusal())
    return Ticket(model, Row(prompt), answer)


def admitted(model: Model, wish: Wish, passage: Passage) -> tuple[str, Prompt]:
    """As `fitted`, of what the guard rails let the model read; where they refuse, nobody is to read it.

    It is measured first: what is longer than the model was packaged for is not worth a look, and bounds how long one
    takes.
    """
    fits, reading = fitted(model, wish), passage.admitted()
    return fits if reading is wish.reading else fitted(model, dataclasses.replace(wish, reading=reading))


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
    if places is None or not settings.log_prompts or not answered or exchange.passage.refused:
        return
    row = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "version": exchange.model.label,
        "prompt": exchange.text,
        "prompt_tokens": exchange.prompt_tokens,
        "new_tokens": answer.result().new_tokens,
        "latency_s": round(time.perf_counter() - exchange.begun, 4),
    }
    append(places.requests, row)
