"""Models that answer who names them, in memory while they are asked: champions of other domains on the same base.

One is loaded when it is first asked for. There are never more than `most`: for another one the least recently used
goes, after it has answered what it has begun. Whoever asks for one that is on its way in waits; nobody else does.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter as Counted
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge

from acclimate.serving.faults import NotReadyError, UnknownModelError

if TYPE_CHECKING:
    from acclimate.serving.models import Model
    from acclimate.serving.state import Packaged

POLL_SECONDS = 0.02
"""Between two looks whether a model that is to go has answered everybody."""

HELD = Gauge("acclimate_adapters_in_memory", "Adapters of other domains in memory", multiprocess_mode="livesum")
LOADED = Counter("acclimate_adapter_loads_total", "Adapters loaded because they were asked for", ["model"])
EVICTED = Counter("acclimate_adapter_evictions_total", "Adapters let go of for another", ["model"])

logger = logging.getLogger("bentoml.acclimate")


class Shelf:
    """Everything but loading happens on the event loop.

    Args:
        load: reads a package into memory.
        most: how many models may be in memory.
        thread: where `load` runs; others load there too, so one thing is loaded at a time.
    """

    def __init__(self, load: Callable[[Packaged], Model], most: int, thread: Executor) -> None:
        self.offered: Mapping[str, Packaged] = {}
        """By the name of the registered model."""
        self.present: dict[str, Model] = {}
        """The least recently used first."""
        self.refused: dict[Packaged, str] = {}
        """Packages that cannot be loaded, and why."""
        self._load = load
        self._most = most
        self._thread = thread
        self._turn = asyncio.Lock()
        self._loading: dict[str, asyncio.Task[None]] = {}
        self._waiting = Counted[str]()
        self._leaving: list[Model] = []

    @property
    def waiting(self) -> int:
        """How many requests wait for a model to be loaded."""
        return self._waiting.total()

    def offer(self, offered: Mapping[str, Packaged]) -> None:
        """From now on these can be asked for; what is no more of them answers what it has begun."""
        for name in [name for name in self.present if offered.get(name) != self.offered[name]]:
            self._let_go(name)
        self.offered = offered
        self.refused.clear()
        self.free()

    def free(self) -> None:
        """Let go of those that are to go and have answered what they began.

        An adapter's modules hold no cycles, so its memory is free at once; a collection would hold up everybody for
        some tenths of a second.
        """
        self._leaving = [model for model in self._leaving if model.users]

    def key(self, name: str) -> str | None:
        """What is offered by that name, or by name and version; None if nothing is."""
        versions = {f"{model}:{packaged.version}": model for model, packaged in self.offered.items()}
        return name if name in self.offered else versions.get(name)

    def at_hand(self, name: str) -> Model:
        """The model of that name; raises NotReadyError if it is not in memory (`bring` brings it there)."""
        key = self.key(name)
        if key is None or key not in self.present:
            raise NotReadyError(f"{name} is not in memory")
        return self.present[key]

    async def bring(self, key: str) -> Model:
        """The model that is offered as `key`, loaded if need be; it may go again as soon as nobody uses it.

        Raises:
            UnknownModelError: if it is not offered, or not any more.
            NotReadyError: if its package cannot be loaded.
        """
        while key not in self.present:
            if key not in self.offered:
                raise UnknownModelError(f"{key!r} is not served any more")
            if reason := self.refused.get(self.offered[key]):
                raise NotReadyError(f"{key} cannot be served: {reason}")
            work = self._loading.get(key)
            if work is None:
                work = self._loading[key] = asyncio.create_task(self._take_in(key))
            self._waiting[key] += 1
            try:
                await asyncio.shield(work)
            finally:
                self._waiting[key] -= 1
        model = self.present[key] = self.present.pop(key)  # used last, so it goes last
        return model

    async def _take_in(self, key: str) -> None:
        """Load a model when there is room for it."""
        try:
            async with self._turn:
                await self._make_room()
                if key not in self.offered:
                    return
                packaged = self.offered[key]
                logger.info("loading %s version %s", key, packaged.version)
                await self._load_one(key, packaged)
        finally:
            del self._loading[key]

    async def _load_one(self, key: str, packaged: Packaged) -> None:
        work = asyncio.get_running_loop().run_in_executor(self._thread, self._load, packaged)
        # Whatever is wrong with one package is told to who asks for it; the others go on.
        (outcome,) = await asyncio.gather(work, return_exceptions=True)
        if isinstance(outcome, BaseException):
            logger.error("%s version %s is not served", key, packaged.version, exc_info=outcome)
            self.refused[packaged] = str(outcome) or type(outcome).__name__
        elif self.offered.get(key) == packaged:
            outcome.label = f"{key}:{packaged.version}"
            self.present[key] = outcome
            LOADED.labels(key).inc()
        HELD.set(len(self.present))

    async def _make_room(self) -> None:
        """Return when one more may be in memory."""
        while True:
            self.free()
            if len(self.present) + len(self._leaving) < self._most:
                return
            key = None if self._leaving else self._victim()
            if key is None:
                await asyncio.sleep(POLL_SECONDS)
            else:
                EVICTED.labels(key).inc()
                self._let_go(key)

    def _victim(self) -> str | None:
        """The least recently used of those that nobody uses, else of all; none that somebody has waited for."""
        there = [key for key in self.present if not self._waiting[key]]
        idle = [key for key in there if not self.present[key].users]
        return next(iter([*idle, *there]), None)

    def _let_go(self, key: str) -> None:
        """Nobody gets it any more; who has it keeps it in memory until they are done."""
        self._leaving.append(self.present.pop(key))
        HELD.set(len(self.present))
