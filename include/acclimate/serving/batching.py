"""Many at a time: requests that wait together for the same model are answered together.

A request never waits for others to arrive: a batch is whoever is waiting when the processor becomes free. What nobody
waits for is answered in the background: when nobody else is there, and a few at a time, since who comes meanwhile
waits until these are done.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
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


class Batcher:
    """Hands waiting prompts to `complete`: one batch at a time whatever the models, as they share one processor."""

    def __init__(self, complete: Callable[[Model, list[Row]], list[Completion]], most_waiting: int) -> None:
        self._complete = complete
        self._most = most_waiting
        self._waiting: list[Ticket] = []
        self._background: list[Ticket] = []
        self._arrived = asyncio.Event()
        self._batch_seconds = 0.0
        # One thread, always the same: every thread that computes would get a set of OpenMP threads of its own.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="generate")

    def enter(
        self, model: Model, prompt: Prompt, tell: Callable[[str], None] | None = None, *, background: bool = False
    ) -> Ticket:
        """Join the queue; `tell` is told the text as it is written.

        Args:
            model: who is asked.
            prompt: what.
            tell: called by the generating thread.
            background: behind all others, those who come later included; not counted among who waits.

        Raises:
            FullError: if as many wait as may.
        """
        if not background and len(self._waiting) >= self._most:
            batches = 1 + len(self._waiting) // BATCH_REQUESTS
            fault = FullError(f"{len(self._waiting)} requests are waiting already")
            fault.retry_after = max(1, math.ceil(batches * self._batch_seconds))
            raise fault
        ticket = Ticket(model, Row(prompt, tell), asyncio.get_running_loop().create_future())
        (self._background if background else self._waiting).append(ticket)
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
        batch = [one for one in queue if one.model is queue[0].model][:most]
        queue[:] = [one for one in queue if one not in batch]
        return batch

    async def _answer(self, batch: list[Ticket]) -> None:
        rows, begun = [one.row for one in batch], time.monotonic()
        work = asyncio.get_running_loop().run_in_executor(self._thread, self._complete, batch[0].model, rows)
        # A fault is handed to those who asked, and the next batch gets its turn.
        (outcome,) = await asyncio.gather(work, return_exceptions=True)
        self._batch_seconds = time.monotonic() - begun
        for place, one in enumerate(batch):
            if one.answer.done() or one.row.given_up:
                continue
            if isinstance(outcome, BaseException):
                one.answer.set_exception(outcome)
            else:
                one.answer.set_result(outcome[place])
