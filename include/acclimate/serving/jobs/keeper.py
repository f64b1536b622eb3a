"""All jobs of an endpoint: taken on within bounds, answered when nobody else waits, gone when they are too old.

One chunk is in the queue at a time, of the oldest job that may go on, and behind every request that somebody waits for.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from acclimate.serving.asking import GENERATED, READ, admitted, fitted
from acclimate.serving.faults import FullError, RefusedError, TooLongError, UnknownModelError, said_of
from acclimate.serving.guardrails.passage import Passage
from acclimate.serving.guardrails.rails import Rails
from acclimate.serving.jobs.record import CHUNK, Failure, Job, Submitted, create, found
from acclimate.serving.places import append
from acclimate.serving.plain import Answer, Ask

if TYPE_CHECKING:
    from acclimate.core.params.endpoint import EndpointParams
    from acclimate.serving.batching import Batcher
    from acclimate.serving.keys import KeyRing
    from acclimate.serving.limits import Limits
    from acclimate.serving.places import Places
    from acclimate.serving.roster import Roster

POLL_SECONDS = 0.2
"""Between two looks for a job that may go on, while there is none."""
MOST_TRIES = 3
"""Times that the process may end while the same requests are being answered, until they are held to be why."""
CHECKED_AT_ONCE = 32
"""Requests whose tokens are counted before others get their turn on the event loop."""

logger = logging.getLogger("acclimate.endpoint")


class UnknownJobError(RefusedError):
    """No job of that id, or somebody else's."""

    status, reason = 404, "job_not_found"


class UnfinishedError(RefusedError):
    """A result that is not there yet."""

    status, reason = 409, "not_finished"
    retry_after = 5


class TooManyError(RefusedError):
    """As many jobs of one key as may be."""

    status, reason = 429, "jobs"
    retry_after = 60


@dataclass
class _Try:
    """A chunk on its way to the model: a try from when its turn comes; to wait for that is none."""

    job: Job
    noted: bool = False

    def note(self) -> None:
        """Count it, once."""
        if self.noted:
            return
        self.noted = True
        try:
            self.job.note_try()
        except OSError:  # the answers cannot be written either, and are tried again
            logger.exception("that job %s is being answered cannot be written", self.job.id)


@dataclass
class Keeper:
    """The jobs in memory, and whoever works on them; everything happens on the event loop."""

    places: Places
    settings: EndpointParams
    batcher: Batcher
    roster: Roster
    ring: KeyRing
    limits: Limits
    jobs: dict[str, Job] = field(default_factory=dict)
    _submitting: asyncio.Lock = field(default_factory=asyncio.Lock)
    _asked: tuple[str, list[Ask]] = ("", [])
    """The requests of the job that is worked on."""
    _work: tuple[str, asyncio.Task[None]] | None = None

    def __post_init__(self) -> None:
        """Take up what is on the disk."""
        self.jobs = found(self.places.jobs)
        self._rails = Rails(self.settings.guardrails)

    async def submit(self, asks: list[Ask], key: str | None) -> Job:
        """Take a job on; it is on the disk when this returns.

        Raises:
            TooLongError: if it has too many requests, or one is longer than its model was packaged for.
            NotReadyError, UnknownModelError: as for a single request.
            TooManyError: if the key has as many jobs as it may.
            FullError: if there are as many as may be.
        """
        dials = self.settings.jobs
        if len(asks) > dials.requests:
            raise TooLongError(f"{len(asks)} requests; at most {dials.requests} are allowed in a job")
        await self._require_fitting(asks)
        async with self._submitting:
            self._remove_expired()
            self._require_room(key)
            now = datetime.now(UTC)
            submitted = Submitted(
                id=uuid.uuid4().hex,
                key=key,
                created=now,
                expires=now + timedelta(hours=dials.hours),
                requests=asks,
            )
            job = await asyncio.to_thread(create, self.places.jobs, submitted)
            self.jobs[job.id] = job
        return job

    def find(self, identity: str, key: str | None) -> Job:
        """The job, for whoever submitted it; raises UnknownJobError for everybody else."""
        self._remove_expired()
        job = self.jobs.get(identity)
        if job is None or job.key != key:
            raise UnknownJobError(f"there is no job {identity[:64]!r}, or not any more")
        return job

    def remove(self, job: Job) -> None:
        """End a job; nothing is left of it."""
        self.jobs.pop(job.id, None)
        if self._work is not None and self._work[0] == job.id:
            self._work[1].cancel()
        job.remove()

    async def run(self) -> None:
        """Work on the jobs until cancelled."""
        while True:
            self._remove_expired()
            job = self._next()
            await (asyncio.sleep(POLL_SECONDS) if job is None else self._advance(job))

    def _next(self) -> Job | None:
        """The oldest job that may go on, if there is one and all models that are to serve are in memory."""
        if self.roster.why() or self.roster.loading is not None:
            return None
        return next((job for job in self.jobs.values() if not job.finished and self._may_go_on(job)), None)

    def _may_go_on(self, job: Job) -> bool:
        """Whether its key is valid and has tokens left for today."""
        if job.key is None:
            return True
        key = self.ring.of(job.key)
        if key is None:
            return False
        per_day = key.tokens_per_day or self.settings.tokens_per_day
        return self.limits.admit(key.id, per_minute=None, per_day=per_day) is None

    async def _advance(self, job: Job) -> None:
        """Deal with the next chunk of a job; with nothing, if the job is removed meanwhile."""
        work = asyncio.create_task(self._deal(job))
        self._work = (job.id, work)
        try:
            await asyncio.wait({work})
            if not work.cancelled() and (fault := work.exception()):
                raise fault
        except OSError:
            logger.exception("the state of job %s cannot be written; trying again", job.id)
            await asyncio.sleep(POLL_SECONDS)
        finally:
            self._work = None
            work.cancel()

    async def _deal(self, job: Job) -> None:
        if self._asked[0] != job.id:
            self._asked = (job.id, await asyncio.to_thread(job.asked))
        asks = self._asked[1][job.done : job.done + CHUNK]
        if job.tries() >= MOST_TRIES:
            ended = Failure(error=f"the service ended {MOST_TRIES} times while this was answered", reason="internal")
            await asyncio.to_thread(job.add, [ended] * len(asks))
            return
        guarded, one_try = Counter[str](), _Try(job)
        try:
            outcomes = await asyncio.gather(*(self._outcome(ask, guarded, one_try.note) for ask in asks))
        except asyncio.CancelledError:
            if one_try.noted:
                job.forget_try()
            raise
        await asyncio.to_thread(job.add, outcomes)
        self._count(job, [one for one in outcomes if isinstance(one, Answer)], guarded)

    async def _outcome(self, ask: Ask, guarded: Counter[str], begins: Callable[[], None]) -> Answer | Failure:
        """What becomes of one request; a fault is the answer to it, and no reason to stop."""
        try:
            _, model = self.roster.pick(ask.model)
            with model.in_use():
                wish = ask.wish()
                passage = Passage(self._rails, wish.reading, guarded)
                _, prompt = admitted(model, wish, passage)
                if passage.refused:
                    completion = passage.refusal()
                else:
                    ticket = self.batcher.enter(model, prompt, background=True, begins=begins)
                    completion = passage.finished(await self.batcher.answer(ticket))
        except Exception as fault:
            _, reason, message = said_of(fault)
            if not isinstance(fault, RefusedError):
                logger.exception("a request of a job failed")
            return Failure(error=message, reason=reason)
        return Answer(
            text=completion.text,
            model=model.name,
            version=model.version,
            prompt_tokens=len(prompt.tokens),
            new_tokens=completion.new_tokens,
            finish_reason=completion.finish_reason,
        )

    def _count(self, job: Job, answers: list[Answer], guarded: Counter[str]) -> None:
        """Put the tokens to the account of whoever submitted the job, as those of a request, and what was guarded."""
        for version in sorted({answer.version for answer in answers}):
            of = [answer for answer in answers if answer.version == version]
            read, written = sum(one.prompt_tokens for one in of), sum(one.new_tokens for one in of)
            READ.labels(version).inc(read)
            GENERATED.labels(version).inc(written)
            if job.key is not None:
                self.limits.spend(job.key, read + written)
            at = datetime.now(UTC).isoformat(timespec="milliseconds")
            what = {"method": "JOB", "path": f"/api/v1/jobs/{job.id}", "status": 200, "version": version}
            who = {"time": at, "id": job.id, "key": job.key, "client": ""}
            line = {**who, **what, "prompt_tokens": read, "new_tokens": written}
            append(self.places.audit, {**line, "guarded": dict(guarded)} if guarded else line)
            guarded = Counter()  # of the chunk as a whole: it stands on one line

    async def _require_fitting(self, asks: list[Ask]) -> None:
        for place, ask in enumerate(asks):
            if place % CHECKED_AT_ONCE == 0:
                await asyncio.sleep(0)
            if ask.model is not None and self.roster.shelf.key(ask.model) is not None:
                # It would keep that model in memory for as long as jobs stand still, and others could not be loaded.
                told = f"requests.{place}: jobs are answered by this domain's models and their base, not by {ask.model}"
                raise UnknownModelError(told)
            try:
                fitted(self.roster.pick(ask.model)[1], ask.wish())
            except TooLongError as fault:
                raise TooLongError(f"requests.{place}: {fault}") from None

    def _require_room(self, key: str | None) -> None:
        dials = self.settings.jobs
        own = sum(job.key == key for job in self.jobs.values())
        if key is not None and own >= dials.most_per_key:
            told = f"{own} jobs of this key are kept already; fetch one and delete it"
            raise TooManyError(told)
        if len(self.jobs) >= dials.most:
            full = FullError(f"{len(self.jobs)} jobs are kept already")
            full.retry_after = 60
            raise full

    def _remove_expired(self) -> None:
        now = datetime.now(UTC)
        for job in [job for job in self.jobs.values() if job.expires <= now]:
            self.remove(job)
