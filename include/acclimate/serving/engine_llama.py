"""llama.cpp as an engine, for GGUF files: spoken to in a process of its own (llama_worker.py).

    engine = LlamaCpp(folder / "model.gguf", window=256, threads=2, ends=frozenset({1}))

Texts are written side by side, each with its own dials. If that process ends, whatever ended it, those who wait for it
are told, the service goes on, and another one is started at once.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from itertools import count
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from acclimate.serving.engine import More, Take
    from acclimate.serving.generation import Prompt, Row

SEQUENCES = 16
"""Texts written side by side, at most; more gain little on a CPU."""
CELLS = 1 << 16
"""Tokens whose keys and values are kept, of all texts together, at most: memory that llama.cpp takes when it starts."""
STUCK_SECONDS = 30.0
"""Without a step, and nobody waiting for one any more: then it is ended, so that the next requests are answered."""
END_SECONDS = 10.0
"""For the process to end by itself once nothing more is asked of it."""
_SEEDS = (1 << 32) - 1
"""llama.cpp takes 32 bits, and the highest of these numbers for 'any'."""

logger = logging.getLogger("bentoml.acclimate")


class EngineError(Exception):
    """The process that computes has ended; the message says how."""


class Worker:
    """One run of llama_worker.py."""

    def __init__(self, first: dict[str, Any]) -> None:
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - for as long as the process may write
        # Or else ggml has a debugger, where there is one, print forty lines after the one that says what is wrong.
        quiet = {**os.environ, "GGML_NO_BACKTRACE": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-I", str(Path(__file__).with_name("llama_worker.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=quiet,
            bufsize=0,
        )
        self._lines: list[bytes] = []
        self._rest = b""
        self.send(first)

    def send(self, document: dict[str, Any]) -> None:
        """Tell it something; nothing happens if it has ended, which `receive` tells."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(document).encode() + b"\n")
        except BrokenPipeError:
            return

    def receive(self, seconds: float) -> dict[str, Any] | None:
        """What it says next, or None if it says nothing for so long; raises EngineError if it has ended."""
        assert self.process.stdout is not None
        while not self._lines:
            if not select.select([self.process.stdout], [], [], seconds)[0]:
                return None
            if not (more := os.read(self.process.stdout.fileno(), 1 << 16)):
                raise EngineError(self.obituary())
            *self._lines, self._rest = (self._rest + more).split(b"\n")
        said: dict[str, Any] = json.loads(self._lines.pop(0))
        return said

    def obituary(self) -> str:
        """How it ended, once it has."""
        code = self.process.wait()
        self._errors.seek(0)
        lines = [line.strip() for line in self._errors.read().decode(errors="replace").splitlines() if line.strip()]
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with status {code}"
        return f"llama.cpp ended {how}: {lines[-1] if lines else 'it said nothing'}"


class LlamaCpp:
    """A GGUF file behind a process that has loaded it."""

    joins = True

    def __init__(self, path: Path, *, window: int, threads: int, ends: frozenset[int]) -> None:
        """Load the file.

        Args:
            path: of the file.
            window: the most tokens of one text, its prompt included.
            threads: to compute with.
            ends: tokens that end a text.

        Raises:
            EngineError: if llama.cpp cannot load it.
        """
        self.ends = ends
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
        self._worker, self._loaded = Worker(self._first), 0
        self._ended = weakref.finalize(self, _end, self._worker.process)

    def _start_again(self, obituary: str) -> None:
        logger.error("%s; starting it again", obituary)
        self._ended()
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
        moved = time.monotonic()
        try:
            while waiting:
                said = self._worker.receive(1.0)
                if said is not None:
                    moved = time.monotonic()
                    self._hand_out(said["tokens"], waiting, take)
                elif time.monotonic() - moved > STUCK_SECONDS and all(row.given_up for row in waiting.values()):
                    self._worker.process.kill()
                self._add(more(), waiting)
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


def _end(process: subprocess.Popen[bytes]) -> None:
    """Close its input, at which it ends; nobody waits here for that, since this may be where requests are answered."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    threading.Thread(target=_see_it_end, args=(process,), daemon=True).start()


def _see_it_end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
