"""The process that holds a base and the adapters beside it for vLLM, shared by all models on that base.

    process = Process(command, first, check)
    number = process.load(folder, check)           # of an adapter; 0 is the base alone
    box = process.ask([{"number": 7, "prompt": […], "adapter": number, …}])
    box.get()                                      # [(7, 301)], the next tokens; or an EngineError

Several threads may wait at once: one that answers, one that loads. What the process says is read by a thread of its
own. Where it has ended, another one is started, which reads the files once more: so they are checked once more.
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from acclimate.serving.engine_process import EngineError, Worker, see_end

START_SECONDS = 900.0
"""For the process to load a base; a large one is read for minutes."""
POLL_SECONDS = 0.02
"""Between two looks whether an adapter is there."""
NAME = "vLLM"

Box = SimpleQueue["list[tuple[int, int]] | EngineError"]
"""Where who waits finds the next tokens of their texts, or why there are none any more."""

logger = logging.getLogger("bentoml.acclimate")


@dataclass
class Mail:
    """Who waits for what the process will say."""

    boxes: dict[int, Box] = field(default_factory=dict)
    """By the number of a text."""
    loads: dict[int, SimpleQueue[str | EngineError]] = field(default_factory=dict)
    """By the number of an adapter that is being loaded: what is wrong with it, or nothing."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def deliver(self, said: dict[str, Any]) -> None:
        """Hand out what was said; of a text that was dropped a last token may be on its way."""
        with self.lock:
            if (number := said.get("loaded")) in self.loads:
                self.loads.pop(number).put(said["fault"])
            steps: dict[int, tuple[Box, list[tuple[int, int]]]] = {}
            for number, token in said.get("tokens", ()):
                if (box := self.boxes.get(number)) is not None:
                    steps.setdefault(id(box), (box, []))[1].append((number, token))
        for box, tokens in steps.values():
            box.put(tokens)

    def tell(self, fault: EngineError) -> None:
        """Everybody who waits waits in vain."""
        with self.lock:
            boxes = {id(box): box for box in self.boxes.values()}
            loads = [*self.loads.values()]
            self.boxes.clear()
            self.loads.clear()
        for box in boxes.values():
            box.put(fault)
        for load in loads:
            load.put(fault)


class Process:
    """One at a time; another one where it has ended."""

    def __init__(
        self,
        command: Sequence[str],
        first: dict[str, Any],
        environment: dict[str, str],
        check: Callable[[], None],
    ) -> None:
        """Load the base.

        Args:
            command: starts vllm_worker.py.
            first: what it is told at first.
            environment: added to ours.
            check: shows that the files of the base are what was signed, before they are read once more.

        Raises:
            EngineError: if vLLM cannot load it.
        """
        self.numbers = count(1)
        self.first = first
        self._command, self._environment, self._check = command, environment, check
        self._adapters: dict[int, tuple[Path, Callable[[], None]]] = {}
        self._lock = threading.RLock()
        self._start()

    @property
    def pid(self) -> int:
        """Of the one that runs, or ran last."""
        return self._worker.process.pid

    @property
    def closed(self) -> bool:
        """Whether it was ended on purpose."""
        return not self._ended.alive

    def load(self, folder: Path, check: Callable[[], None]) -> int:
        """Read the adapter in `folder`; the number by which it is asked.

        Args:
            folder: shown to be what was signed.
            check: shows that once more, before it is read again.

        Raises:
            EngineError: if vLLM cannot load it.
        """
        with self._lock:
            self.revive()
            number = next(self.numbers)
            self._load(number, folder)
            self._adapters[number] = (folder, check)
        return number

    def forget(self, number: int) -> None:
        """Let go of an adapter; nothing waits here, since this may be where requests are answered."""
        if self._adapters.pop(number, None) is not None:
            self._worker.send({"forget": number})

    def ask(self, texts: list[dict[str, Any]], box: Box) -> None:
        """Have texts written; what comes of them comes into `box`. Raises EngineError if it cannot be started again."""
        with self._lock:
            self.revive()
            with self._mail.lock:
                self._mail.boxes |= {text["number"]: box for text in texts}
            self._worker.send({"add": texts})

    def require_alive(self) -> None:
        """Raise EngineError if it has ended: it may have done so before there was anybody to be told."""
        if self._worker.process.poll() is not None:
            raise EngineError(self._worker.obituary())

    def drop(self, numbers: list[int]) -> None:
        """Write no more of these."""
        with self._mail.lock:
            for number in numbers:
                self._mail.boxes.pop(number, None)
        self._worker.send({"drop": numbers})

    def kill(self) -> None:
        """End it at once; those who wait are told."""
        self._worker.process.kill()

    def close(self) -> None:
        """End it, and wait for that."""
        self._ended()
        self._worker.process.wait()

    def revive(self) -> None:
        """Start another one if it has ended; what that will read is shown to be what was signed first."""
        with self._lock:
            if self._worker.process.poll() is None:
                return
            adapters = dict(self._adapters)  # some may be let go of meanwhile
            for check in (self._check, *(check for _, check in adapters.values())):
                check()
            self._ended()
            self._start()
            for number, (folder, _) in adapters.items():
                self._load(number, folder)
                if number not in self._adapters:
                    self._worker.send({"forget": number})

    def _start(self) -> None:
        self._worker = worker = Worker(NAME, self._command, self.first, self._environment)
        self._mail = Mail()  # of this one: who waits for the one before is told by who listened to that
        self._ended = weakref.finalize(self, _end, worker)
        begun = time.monotonic()
        while worker.receive(1.0) is None:
            if time.monotonic() - begun > START_SECONDS:
                worker.process.kill()
        threading.Thread(target=_listen, args=(worker, self._mail, weakref.ref(self)), daemon=True).start()

    def _load(self, number: int, folder: Path) -> None:
        answer: SimpleQueue[str | EngineError] = SimpleQueue()
        with self._mail.lock:
            self._mail.loads[number] = answer
        self._worker.send({"load": number, "folder": str(folder)})
        while answer.empty():
            self.require_alive()
            time.sleep(POLL_SECONDS)
        if isinstance(fault := answer.get(), EngineError):
            raise fault
        if fault:
            raise EngineError(f"{NAME} cannot load the adapter: {fault}")


def _listen(worker: Worker, mail: Mail, owner: weakref.ref[Process]) -> None:
    """Hand out what it says until it ends; then have another one started, if anybody still wants it."""
    try:
        while True:
            if said := worker.receive(1.0):
                mail.deliver(said)
    except EngineError as fault:
        mail.tell(fault)
        if (process := owner()) is None or process.closed:
            return
        logger.error("%s; starting it again", fault)
        try:
            process.revive()
        except EngineError as again:  # whoever asks next has it tried once more, and is told
            logger.error("%s", again)


def _end(worker: Worker) -> None:
    """Close its input, at which it ends, and the thread that listens after it; nobody waits here for that."""
    assert worker.process.stdin is not None
    worker.process.stdin.close()
    threading.Thread(target=see_end, args=(worker.process,), daemon=True).start()
