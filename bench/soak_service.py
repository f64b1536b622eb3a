"""The endpoint for bench/soak.py: a real `acclimate endpoint`, whose processes are killed and whose memory is watched.

with started(folder, port) as service:
    service.kill(random.Random(0))        # SIGKILL to one of its processes, in the middle of whatever it does
    service.disturbed(begun, ended)       # whether a kill explains what happened between these two moments
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

START_SECONDS = 180.0
SAMPLE_SECONDS = 0.5
SETTLED_SECONDS = 1.0
"""After it is ready again: what was cut off before may be noticed by a client only now."""


@dataclass
class Life:
    """One serving process from its first answer to its end."""

    pid: int
    samples: list[tuple[int, float]] = field(default_factory=list)
    """Requests finished by then (by all clients, of the whole soak), and megabytes of resident memory."""


@dataclass
class Service:
    """The endpoint, and what was done to it."""

    process: subprocess.Popen[bytes]
    url: str
    outages: list[tuple[float, float]] = field(default_factory=list)
    """From a kill until it was ready again; the last may not be over (infinity)."""
    killed: list[str] = field(default_factory=list)
    """Which process, each time."""
    lives: list[Life] = field(default_factory=list)
    finished: int = 0
    """Requests, as the clients count them."""

    def ready(self) -> bool:
        """Whether there is a champion to ask."""
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=10) as response:
                return bool(response.status == 200)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def kill(self, chance: random.Random) -> None:
        """End one of its processes at once, most often the one that serves; returns when it is ready again.

        Raises:
            RuntimeError: if it does not come back.
        """
        below = descendants(self.process.pid)
        serving = max(below, key=resident_mb)
        victim = serving if chance.random() < 0.7 else chance.choice(below)
        self.killed.append("the serving process" if victim == serving else "a process above it")
        self.outages.append((time.monotonic(), float("inf")))
        os.kill(victim, signal.SIGKILL)
        while _alive(serving) or not self.ready():  # whichever was killed, another process serves afterwards
            if time.monotonic() - self.outages[-1][0] > START_SECONDS:
                raise RuntimeError(f"not ready {START_SECONDS:g} s after a kill")
            time.sleep(0.1)
        self.outages[-1] = (self.outages[-1][0], time.monotonic())

    def disturbed(self, begun: float, ended: float) -> bool:
        """Whether a request that lasted from one moment to the other may have met a kill."""
        return any(first <= ended and begun <= last + SETTLED_SECONDS for first, last in self.outages)

    def watch(self, over: threading.Event) -> None:
        """Note the serving process's memory until `over`."""
        while not over.wait(SAMPLE_SECONDS):
            below = descendants(self.process.pid)
            if not below or any(last == float("inf") for _, last in self.outages):
                continue
            serving = max(below, key=resident_mb)
            if not self.lives or self.lives[-1].pid != serving:
                self.lives.append(Life(serving))
            self.lives[-1].samples.append((self.finished, resident_mb(serving)))


@contextmanager
def started(folder: Path, port: int) -> Iterator[Service]:
    """An endpoint that serves what bench/serve_model.py put into `folder`; its registry is down, as it may be."""
    command = [sys.executable, "-m", "acclimate.cli", "endpoint", "--port", str(port)]
    settings = {"ACCLIMATE_HOME": str(folder), "MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}
    log = folder / "endpoint.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **settings}, stdout=output, stderr=subprocess.STDOUT
        )
    service = Service(process, f"http://127.0.0.1:{port}")
    try:
        begun = time.monotonic()
        while not service.ready():
            if process.poll() is not None or time.monotonic() - begun > START_SECONDS:
                raise RuntimeError(f"the endpoint is not ready:\n{log.read_text()[-3000:]}")
            time.sleep(0.1)
        yield service
    finally:
        process.terminate()
        process.wait(60)


def descendants(pid: int) -> list[int]:
    """Every process below one, by Linux's /proc."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    found: list[int] = []
    waiting = [pid]
    while waiting:
        parent = waiting.pop()
        children = [child for child, of in parents.items() if of == parent]
        found += children
        waiting += children
    return found


def resident_mb(pid: int) -> float:
    """Resident memory in megabytes (10⁶ bytes); 0 of a process that is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
