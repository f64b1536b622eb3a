"""The models in memory and their roles, brought in line with the state file while requests are being answered.

A model is loaded beside those that serve, and takes its role over between two requests. Whoever was begun with
another is finished with it; when the last of these is done it is freed. So there are never more in memory than
champion, challenger and one on its way in or out.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from acclimate.serving.faults import NotReadyError, UnknownModelError
from acclimate.serving.models import Model
from acclimate.serving.shelf import Shelf
from acclimate.serving.state import ROLES, Packaged, Role, Serving, read

POLL_SECONDS = 0.2
"""Between two looks at the state file: a rollback takes effect within this time."""

logger = logging.getLogger("bentoml.acclimate")


@dataclass
class Roster:
    """Who serves in which role, and who besides answers to a name; everything but loading happens on the event loop."""

    load: Callable[[Packaged], Model]
    most_adapters: int = 1
    """Of other domains, in memory."""
    serving: Serving = field(default_factory=Serving)
    """What is wanted, as last read."""
    serves: dict[Role, tuple[Packaged, Model]] = field(default_factory=dict)
    loading: Packaged | None = None
    refused: dict[Packaged, str] = field(default_factory=dict)
    """Packages that could not be loaded, and why; tried again when the state file is written again."""
    fault: str = ""
    """Why the state file cannot be read; what was read before goes on applying."""
    shelf: Shelf = field(init=False)
    """Who is loaded when asked for."""
    _leaving: list[Model] = field(default_factory=list)
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="load"))

    def __post_init__(self) -> None:
        """Nothing is offered yet."""
        self.shelf = Shelf(self.load, self.most_adapters, self._thread)

    def pick(self, name: str | None, drawn: Role = "champion") -> tuple[str, Model]:
        """The role and model that answer a request for `name`; 'base' and 'adapter' are those who have none.

        Args:
            name: a role or a version; the registered model, or None, for whoever is drawn; the base; the registered
                model of another domain.
            drawn: the role that a canary gives the request to.

        Raises:
            NotReadyError: if there is no champion, or who is named is not in memory at the moment.
            UnknownModelError: if nobody has that name.
        """
        if "champion" not in self.serves:
            raise NotReadyError(self.why())
        return (drawn, self.serves[drawn][1]) if self.leaves_open(name) else self._named(str(name))

    def names(self) -> dict[str, float]:
        """What a request can ask for, and since when it has been in memory; 0 if it is not."""
        names: dict[str, float] = {}
        for role, (_, model) in self.serves.items():
            for name in (model.name, role, f"{model.name}:{model.version}"):
                names.setdefault(name, model.loaded)
        if (base := self._base()) is not None:
            names[base.name] = base.loaded
        for name, packaged in self.shelf.offered.items() if self.serves else ():
            there = self.shelf.present.get(name)
            names |= dict.fromkeys((name, f"{name}:{packaged.version}"), there.loaded if there else 0.0)
        return names

    def leaves_open(self, name: str | None) -> bool:
        """Whether a request for `name` is for whoever is drawn, and there is somebody."""
        return "champion" in self.serves and name in (None, self.serves["champion"][1].name)

    def versions(self) -> dict[Role, str]:
        """Who is in memory."""
        return {role: packaged.version for role, (packaged, _) in self.serves.items()}

    def why(self) -> str:
        """Why there is nobody to answer; empty if there is."""
        if "champion" in self.serves:
            return ""
        wanted = self.serving.champion
        if wanted is None:
            return self.serving.why or self.fault or "no champion yet"
        return self.refused.get(wanted, f"version {wanted.version} is being loaded")

    async def follow(self, path: Path) -> None:
        """Keep in line with the state file until cancelled."""
        seen: object = None
        work: asyncio.Future[Model] | None = None
        while True:
            stamp = _stamp(path)
            if stamp != seen:
                seen = stamp
                self._read(path)
            work = self._step(work)
            await asyncio.wait([work], timeout=POLL_SECONDS) if work else await asyncio.sleep(POLL_SECONDS)

    async def bring(self, serving: Serving) -> None:
        """Load what is wanted and return when it serves, or cannot."""
        self.want(serving)
        work = self._step(None)
        while work:
            await asyncio.wait([work])
            work = self._step(work)

    def want(self, serving: Serving) -> None:
        """From now on this is wanted: roles whose model is in memory change at once."""
        self.serving = serving
        self.refused.clear()
        self.shelf.offer(serving.adapters)
        present = dict(self.serves.values())
        for role in ROLES:
            wanted = serving.packaged(role)
            if wanted in present:
                self._seat(role, wanted, present[wanted])
            elif wanted is None or role == "challenger":
                self._seat(role, None, None)  # a champion stays until the next one is there

    def _read(self, path: Path) -> None:
        try:
            wanted = read(path)
        except (OSError, ValueError) as fault:
            self.fault = f"{path.name}: {str(fault).splitlines()[0]}"
            logger.warning("%s", self.fault)
        else:
            self.fault = ""
            self.want(wanted)

    def _step(self, work: asyncio.Future[Model] | None) -> asyncio.Future[Model] | None:
        """Take in what has been loaded, free what nobody needs, begin the next load; returns the load under way."""
        if work is not None and not work.done():
            return work
        if work is not None:
            self._settle(work)
        self._free()
        self.loading = None if self._leaving else self._next()
        if self.loading is None:
            return None
        logger.info("loading version %s", self.loading.version)
        return asyncio.get_running_loop().run_in_executor(self._thread, self.load, self.loading)

    def _next(self) -> Packaged | None:
        """What is wanted, not in memory, and not known to be unfit; the champion first."""
        present = dict(self.serves.values())
        wanted = [one for one in map(self.serving.packaged, ROLES) if one is not None]
        return next((one for one in wanted if one not in present and one not in self.refused), None)

    def _settle(self, work: asyncio.Future[Model]) -> None:
        loaded, self.loading = self.loading, None
        assert loaded is not None
        if fault := work.exception():
            logger.error("version %s is not served", loaded.version, exc_info=fault)
            self.refused[loaded] = str(fault) or type(fault).__name__
            return
        model = work.result()
        roles = [role for role in ROLES if self.serving.packaged(role) == loaded]
        for role in roles:
            self._seat(role, loaded, model)
        if not roles:  # it was wanted when its loading began
            self._leaving.append(model)

    def _seat(self, role: Role, packaged: Packaged | None, model: Model | None) -> None:
        before = self.serves.pop(role, None)
        if packaged is not None and model is not None:
            self.serves[role] = (packaged, model)
        now = [one for _, one in self.serves.values()]
        if before is not None and before[1] not in now:
            self._leaving.append(before[1])
        if (before[1] if before else None) is not model:
            logger.info("%s: %s", role, "none" if packaged is None else f"version {packaged.version}")

    def _free(self) -> None:
        """Let go of models that have no role and nobody who waits for them."""
        self.shelf.free()
        staying = [model for model in self._leaving if model.users]
        gone, self._leaving = len(self._leaving) - len(staying), staying
        if gone:
            gc.collect()  # a network is full of cycles: without this its weights stay until some later collection

    def _base(self) -> Model | None:
        """The bare base, where the champion is an adapter on it."""
        return self.serves["champion"][1].bare if "champion" in self.serves else None

    def _named(self, name: str) -> tuple[str, Model]:
        for role, (packaged, model) in self.serves.items():
            if name in (role, packaged.version, f"{model.name}:{packaged.version}"):
                return role, model
        base = self._base()
        if base is not None and name == base.name:
            return base.name, base
        if self.shelf.key(name) is not None:
            return "adapter", self.shelf.at_hand(name)
        served = [f"{role} (version {packaged.version})" for role, (packaged, _) in self.serves.items()]
        served += [*([base.name] if base else []), *self.shelf.offered]
        raise UnknownModelError(f"{name!r} is not served; there are {', '.join(served)}")


def _stamp(path: Path) -> tuple[int, int] | None:
    """What changes when the file is replaced; None if there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns
