"""llama.cpp as an engine, for GGUF files: spoken to in a process of its own (llama_worker.py).

    engine = LlamaCpp(folder / "model.gguf", window=256, threads=2, ends=frozenset({1}))

Texts are written side by side, each with its own dials. If that process ends, whatever ended it, those who wait for it
are told, the service goes on, and another one is started at once.
"""

from __future__ import annotations

import logging
import secrets
import sys
import time
import weakref
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.serving.engine_process import EngineError, Worker, end

if TYPE_CHECKING:
    from acclimate.serving.engine import Check, More, Take
    from acclimate.serving.generation import Prompt, Row

SEQUENCES = 16
"""Texts written side by side, at most; more gain little on a CPU."""
CELLS = 1 << 16
"""Tokens whose keys and values are kept, of all texts together, at most: memory that llama.cpp takes when it starts."""
STUCK_SECONDS = 30.0
"""Without a step, and nobody left of those who waited at the last: then it is ended, so that others are answered."""
_SEEDS = (1 << 32) - 1
"""llama.cpp takes 32 bits, and the highest of these numbers for 'any'."""

logger = logging.getLogger("bentoml.acclimate")


WORKER = Path(__file__).with_name("llama_worker.py")


class LlamaCpp:
    """A GGUF file behind a process that has loaded it."""

    joins = True

    def __init__(
        self, path: Path, *, window: int, threads: int, ends: frozenset[int], check: Check | None = None
    ) -> None:
        """Load the file.

        Args:
            path: of the file.
            window: the most tokens of one text, its prompt included.
            threads: to compute with.
            ends: tokens that end a text.
            check: shows that the file is what was signed, before another process reads it once more.

        Raises:
            EngineError: if llama.cpp cannot load it.
        """
        self.ends = ends
        self._check = check
        self._first = {
            "model": str(path),
            "window": window,
            "sequences": max(1, min(SEQUENCES, CELLS // window)),
            "threads": threads,
            "ends": sorted(ends),
        }
        self._numbers = count()
        self._start()
        self.weight_bytes = self._await_loaded()

    @property
    def beside(self) -> object:
        """Each file has a process of its own."""
        return self

    def write(self, rows: list[Row], take: Take, more: More) -> None:
        """All rows side by side, as many as there is room for; who is complete makes room for the next."""
        if self._worker.process.poll() is not None:  # it ended while nobody waited for it
            self._start_again(self._worker.obituary())
        try:
            self._await_loaded()
            self._write(rows, take, more)
        except EngineError as fault:
            self._start_again(str(fault))
            raise

    def close(self) -> None:
        """End the process, and wait for that."""
        self._ended()
        self._worker.process.wait()

    def _start(self) -> None:
        # Or else ggml has a debugger, where there is one, print forty lines after the one that says what is wrong.
        quiet = {"GGML_NO_BACKTRACE": "1"}
        self._worker = Worker("llama.cpp", [sys.executable, "-I", str(WORKER)], self._first, quiet)
        self._loaded = 0
        self._ended = weakref.finalize(self, end, self._worker.process)

    def _start_again(self, obituary: str) -> None:
        logger.error("%s; starting it again", obituary)
        self._ended()
        if self._check is not None:
            self._check()
        self._start()

    def _await_loaded(self) -> int:
        """The bytes of the weights, once they are in memory."""
        while not self._loaded:
            said = self._worker.receive(STUCK_SECONDS)
            self._loaded = said["bytes"] if said else 0
        return self._loaded

    def _write(self, rows: list[Row], take: Take, more: More) -> None:
        waiting: dict[int, Row] = {}
        self._add(rows, waiting)
        # Who comes later does not count: where somebody always does, nobody would ever notice that it is stuck.
        moved, then = time.monotonic(), rows
        try:
            while waiting:
                said = self._worker.receive(1.0)
                if said is not None:
                    self._hand_out(said["tokens"], waiting, take)
                elif time.monotonic() - moved > STUCK_SECONDS and all(row.given_up for row in then):
                    self._worker.process.kill()
                self._add(more(), waiting)
                if said is not None:
                    moved, then = time.monotonic(), list(waiting.values())
        finally:
            if waiting:
                self._worker.send({"drop": list(waiting)})

    def _add(self, rows: list[Row], waiting: dict[int, Row]) -> None:
        if rows:
            numbered = dict(zip(self._numbers, rows, strict=False))
            waiting |= numbered
            self._worker.send({"add": [self._asked(number, row.prompt) for number, row in numbered.items()]})

    def _hand_out(self, tokens: list[tuple[int, int]], waiting: dict[int, Row], take: Take) -> None:
        # Of a text that was dropped a last token may be on its way.
        known = [(number, token) for number, token in tokens if number in waiting]
        done = [number for number, token in known if take(waiting[number], token)]
        if done:
            self._worker.send({"drop": done})
        for number in done:
            del waiting[number]

    def _asked(self, number: int, prompt: Prompt) -> dict[str, Any]:
        """A prompt as the worker is told of it; one without tokens goes on from the end of another text."""
        return {
            "number": number,
            "prompt": prompt.tokens or [min(self.ends, default=0)],
            "most": prompt.max_new_tokens,
            "temperature": prompt.temperature,
            "top_p": prompt.top_p,
            "seed": secrets.randbelow(_SEEDS) if prompt.seed is None else prompt.seed % _SEEDS,
        }
