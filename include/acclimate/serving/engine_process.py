"""A process that computes for an engine, and how it is spoken to: one JSON document a line, in both directions.

    worker = Worker("llama.cpp", [sys.executable, "-I", "llama_worker.py"], {"model": "…/model.gguf", …})
    worker.send({"add": […]})
    worker.receive(1.0)      # {"tokens": [[7, 301], …]}; None after a second without a word

Whatever ends the process ends nothing else: who waits for it is told how it ended.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from typing import IO, Any

END_SECONDS = 10.0
"""For the process to end by itself once nothing more is asked of it."""


class EngineError(Exception):
    """The process that computes has ended; the message says how."""


class Worker:
    """One run of a process."""

    def __init__(
        self, name: str, command: Sequence[str], first: dict[str, Any], environment: dict[str, str] | None = None
    ) -> None:
        """Start it.

        Args:
            name: what it is called when it has ended.
            command: runs until its input ends.
            first: told to it at once.
            environment: added to ours.
        """
        self._name = name
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - for as long as the process may write
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, **(environment or {})},
            bufsize=0,
        )
        self._lines: list[bytes] = []
        self._rest = b""
        self._sending = threading.Lock()
        self.send(first)

    def send(self, document: dict[str, Any]) -> None:
        """Tell it something; nothing happens if it has ended, which `receive` tells."""
        assert self.process.stdin is not None
        if self.process.stdin.closed:
            return
        line = memoryview(json.dumps(document).encode() + b"\n")
        with self._sending:
            try:
                while line:
                    line = line[self.process.stdin.write(line) :]
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
        return f"{self._name} ended {how}: {lines[-1] if lines else 'it said nothing'}"


def end(process: subprocess.Popen[bytes]) -> None:
    """Close its input, at which it ends; nobody waits here for that, since this may be where requests are answered."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    threading.Thread(target=see_end, args=(process,), daemon=True).start()


def see_end(process: subprocess.Popen[bytes]) -> None:
    """Wait until it has ended, and end it if that takes too long."""
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
