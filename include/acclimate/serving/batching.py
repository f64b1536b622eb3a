"""Many at a time: requests that wait together for the same model are answered together.

A request never waits for others to arrive: a batch is whoever is waiting when the processor becomes free. Where the
engine can take in another text between two tokens, who comes joins the batch under way, unless somebody waits before
them for another model. Where an engine writes for several models at once (Engine.beside), these count as one.

What nobody waits for is answered in the background: when nobody else is there, and a few at a time, since who comes
meanwhile may have to wait until these are done.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from acclimate.serving.faults import FullError
from acclimate.serving.generation import Completion, Prompt, Row

if TYPE_CHECKING:
    from acclimate.serving.models import Model

BATCH_REQUESTS = 16
"""The most requests answered in one pass: more gain little on a CPU and make the first wait longer."""
BACKGROUND_REQUESTS = 4
"""The most of the background's: who comes meanwhile waits for these."""


@dataclass(eq=False)
class Ticket:
    """A place in the queue, from there on to the answer."""

    model: Model
    row: Row
    answer: asyncio.Future[Completion]
    begun: float = 0.0
    """When its writing began; 0 while it waits."""
    begins: Callable[[], None] | None = None
    """Called before anything of its batch is written."""


@dataclass(eq=False)
class Batch:
    """Those who are being answered."""

    model: Model
    tickets: list[Ticket]
    """Not yet answered, those who are joining included."""
    joining: deque[Ticket] = field(default_factory=deque)
    """Let in here by the event loop, and taken up by the generating thread between two tokens."""

    def take_up(self) -> list[Row]:
        """The rows of who has joined since it was called last."""
        rows = []
        while self.joining:
            rows.append(self.joining.popleft().row)
        return rows


class Batcher:
    """Hands waiting prompts to `complete`: one batch at a time whatever the models, as they share one processor."""

    def __init__(self, complete: Callable[..., list[Completion]], most_waiting: int) -> None:
        """`complete` is generation.complete: of a model and rows, and where the engine joins, of more rows."""
        self._complete = complete
        self._most = most_waiting
        self._waiting: list[Ticket] = []
        self._background: list[Ticket] = []
        self._under_way: Batch | None = None
        self._arrived = asyncio.Event()
        self._batch_seconds = 0.0
        # One thread, always the same: every thread that computes would get a set of OpenMP threads of its own.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="generate")

    def enter(
        self,
        model: Model,
        prompt: Prompt,
        tell: Callable[[str], None] | None = None,
        *,
        background: bool = False,
        begins: Callable[[], None] | None = None,
    ) -> Ticket:
        """Join the queue; `tell` is told the text as it is written.

        Args:
            model: who is asked.
            prompt: what.
            tell: called by the generating thread.
            background: behind all others, those who come later included; not counted among who waits.
            begins: called by the generating thread when its turn comes; what it raises ends the batch as a fault.

        Raises:
            FullError: if as many wait as may.
        """
        if not background and len(self._waiting) >= self._most:
            batches = 1 + len(self._waiting) // BATCH_REQUESTS
            fault = FullError(f"{len(self._waiting)} requests are waiting already")
            fault.retry_after = max(1, math.ceil(batches * self._batch_seconds))
            raise fault
        loop = asyncio.get_running_loop()
        ticket = Ticket(model, Row(prompt, tell, model=model), loop.create_future())
        ticket.begins = begins

        def _over(completion: Completion) -> None:
            loop.call_soon_threadsafe(self._answered, ticket, completion)

        ticket.row.over = _over
        (self._background if background else self._waiting).append(ticket)
        self._let_in()
        self._arrived.set()
        return ticket

    async def answer(self, ticket: Ticket) -> Completion:
        """What was written; raises what `complete` raised. Cancelling it ends the writing."""
        try:
            return await ticket.answer
        finally:
            self.give_up(ticket)

    def give_up(self, ticket: Ticket) -> None:
        """Leave the queue, or end the writing; nothing if the answer is there."""
        ticket.row.given_up = True
        for queue in (self._waiting, self._background):
            if ticket in queue:
                queue.remove(ticket)
        self._leave(ticket)

    async def run(self) -> None:
        """Serve until cancelled."""
        while True:
            await self._arrived.wait()
            if batch := self._next_batch():
                await self._answer(batch)
            else:
                self._arrived.clear()

    def _next_batch(self) -> list[Ticket]:
        """The first who waits, and those behind who want the same model."""
        queue, most = (self._waiting, BATCH_REQUESTS) if self._waiting else (self._background, BACKGROUND_REQUESTS)
        batch = [one for one in queue if _together(one.model, queue[0].model)][:most]
        queue[:] = [one for one in queue if one not in batch]
        return batch

    async def _answer(self, tickets: list[Ticket]) -> None:
        batch = self._under_way = Batch(tickets[0].model, list(tickets))
        for one in tickets:
            one.begun = time.monotonic()
        work = asyncio.get_running_loop().run_in_executor(self._thread, self._write, batch, tickets)
        # A fault is handed to those who asked, and the next batch gets its turn.
        (outcome,) = await asyncio.gather(work, return_exceptions=True)
        self._under_way = None
        # Who was let in when nothing was written any more.
        self._waiting[:0] = [one for one in batch.joining if not one.row.given_up]
        if isinstance(outcome, BaseException):
            for one in set(batch.tickets) - set(batch.joining):
                self._settle(one, outcome)
        else:
            for one, completion in zip(tickets, outcome, strict=True):
                self._settle(one, completion)

    def _write(self, batch: Batch, tickets: list[Ticket]) -> list[Completion]:
        """What the generating thread does; whatever is wrong here is told to who asked, and does not end `run`."""
        for one in tickets:
            if one.begins is not None:
                one.begins()
        more = (batch.take_up,) if batch.model.joins else ()
        completions = self._complete(batch.model, [one.row for one in tickets], *more)
        assert len(completions) == len(tickets), f"{len(completions)} completions of {len(tickets)} rows"
        return completions

    def _let_in(self) -> None:
        """Have those who wait join the batch under way, in their order, as many as there is room for."""
        batch = self._under_way
        if batch is None or not batch.model.joins:
            return
        while self._waiting and _together(self._waiting[0].model, batch.model) and len(batch.tickets) < BATCH_REQUESTS:
            ticket = self._waiting.pop(0)
            ticket.begun = time.monotonic()
            batch.tickets.append(ticket)
            batch.joining.append(ticket)

    def _answered(self, ticket: Ticket, completion: Completion) -> None:
        """It is complete, while others of its batch may not be."""
        self._settle(ticket, completion)
        self._leave(ticket)

    def _leave(self, ticket: Ticket) -> None:
        """Make room in the batch under way."""
        if self._under_way is not None and ticket in self._under_way.tickets:
            self._under_way.tickets.remove(ticket)
            self._let_in()

    def _settle(self, ticket: Ticket, outcome: Completion | BaseException) -> None:
        if ticket.answer.done() or ticket.row.given_up:
            return
        self._batch_seconds = time.monotonic() - ticket.begun
        if isinstance(outcome, BaseException):
            ticket.answer.set_exception(outcome)
        else:
            ticket.answer.set_result(outcome)


def _together(one: Model, other: Model) -> bool:
    """Whether their texts are written side by side."""
    return one is other or (one.joins and other.joins and one.engine.beside is other.engine.beside)
