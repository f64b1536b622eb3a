"""Clients for bench/serve.py: as many threads, each with one request under way (a closed loop).

load("http://127.0.0.1:3000", "champion", clients=8, seconds=10.0)  →  Load(clients=8, latencies=[0.41, …], …)
"""

from __future__ import annotations

import http.client
import json
import math
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

from serve_model import NEW_TOKENS, prompts

WARM_REQUESTS = 2
READY_SECONDS = 120.0
ANSWER_SECONDS = 300.0


@dataclass
class Load:
    """What the clients saw."""

    clients: int
    seconds: float = 0.0
    """Until the last answer."""
    latencies: list[float] = field(default_factory=list)
    """Seconds from the connection to the whole answer."""
    tokens: int = 0
    """Written, as the server counts them."""
    faults: list[str] = field(default_factory=list)


def load(url: str, model: str, *, clients: int, seconds: float | None = None, requests: int | None = None) -> Load:
    """Have `clients` ask at once, until `seconds` are over or `requests` are sent; nothing sent is left unanswered.

    Raises:
        RuntimeError: if a request was not answered as it should be: the numbers would not be comparable.
    """
    for number in range(WARM_REQUESTS):
        _ask(url, model, number)
    found, numbers, lock = Load(clients), count(), threading.Lock()
    begun = time.perf_counter()

    def _client() -> None:
        while seconds is None or time.perf_counter() - begun < seconds:
            with lock:
                number = next(numbers)
            if found.faults or (requests is not None and number >= requests):
                return
            sent = time.perf_counter()
            try:
                tokens = _ask(url, model, number)
            except (OSError, RuntimeError, http.client.HTTPException) as fault:
                found.faults.append(f"{type(fault).__name__}: {fault}")
                return
            with lock:
                found.latencies.append(time.perf_counter() - sent)
                found.tokens += tokens

    threads = [threading.Thread(target=_client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found.seconds = time.perf_counter() - begun
    if found.faults:
        raise RuntimeError(f"{url}: {found.faults[0]}")
    return found


def _ask(url: str, model: str, number: int) -> int:
    """Send the request of that number; how many tokens were written."""
    prompt = prompts()[number % len(prompts())]
    body = {"model": model, "prompt": prompt, "max_tokens": NEW_TOKENS, "temperature": 0}
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=ANSWER_SECONDS)
    try:
        connection.request("POST", "/v1/completions", json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        said = response.read()
    finally:
        connection.close()
    if response.status != 200:
        raise RuntimeError(f"status {response.status}: {said[:300]!r}")
    tokens: int = json.loads(said)["usage"]["completion_tokens"]
    return tokens


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (0–1) of the values do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> float:
    """Seconds from now until `url` answers 200.

    Raises:
        RuntimeError: if the process ends first or takes too long; with the end of its log.
    """
    begun = time.perf_counter()
    while process.poll() is None and time.perf_counter() - begun < READY_SECONDS:
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                if response.status == 200:
                    return time.perf_counter() - begun
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            pass
        time.sleep(0.02)
    raise RuntimeError(f"{url} is not ready:\n{log.read_text()[-3000:]}")


def free_port() -> int:
    """A port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
