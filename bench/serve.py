"""Requests to our endpoint, to a plain FastAPI + generate loop, to `transformers serve` and to llama.cpp's server.

    python bench/serve.py [--seconds 10] [--without llama.cpp]     # writes bench/results/serve.json and .md

One model for all (bench/serve_model.py), in 32 bits, in one run on one machine: each server is started by itself,
asked twice to be warm, then by 8 and by 32 clients that each send the next question when they have the answer to the
last. A client begins nothing new after `--seconds` and waits for what it began. Latency is that of whole answers of
32 tokens, connection included. llama.cpp reads the same numbers as GGUF, and its wheel is built for any x86-64. It is
put beside our endpoint a second time, where both serve one and the same GGUF file of a smaller form.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from peers.environments import environment, version
from results_file import Goal, Outcome, at_least, at_most, write
from serve_load import Load, free_port, load, quantile, wait_until_ready
from serve_model import FORM, NEW_TOKENS, make, make_gguf, prompts

from acclimate.core.params import load as load_params
from acclimate.core.waiting import SPINS

HERE = Path(__file__).parent
CLIENTS = (8, 32)
OURS, PLAIN, TRANSFORMERS, LLAMA = "acclimate", "FastAPI + generate", "transformers serve", "llama.cpp"
OURS_GGUF, LLAMA_GGUF = f"acclimate, {FORM}", f"llama.cpp, {FORM}"
BESIDE = {PLAIN: OURS, TRANSFORMERS: OURS, LLAMA: OURS, LLAMA_GGUF: OURS_GGUF}
"""Every peer, and which of our servers it is set against."""
SAME_WEIGHTS = (PLAIN, TRANSFORMERS, LLAMA_GGUF)
"""Peers that read the same file of weights."""
ALONE_REQUESTS = 40
MEASURED = ("torch", "transformers", "cyllama", "fastapi", "bentoml")
"""Packages whose versions are written beside the results."""


@dataclass(frozen=True)
class Engine:
    """How a server is started, and where it says that it is ready."""

    command: list[str]
    ready: str
    environment: dict[str, str]


@dataclass(frozen=True)
class Served:
    """One server under one load."""

    engine: str
    clients: int
    requests: int
    tokens_per_s: float
    """Written, of all clients together, by the wall clock."""
    p50_s: float
    p95_s: float
    p99_s: float
    ready_s: float
    """From the start of the process until it says that it is ready."""


def main() -> int:
    """Start one server after the other, put load on it, and write what came out."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--seconds", type=float, default=10.0, help="of each load, at least")
    arguments.add_argument("--without", action="append", default=[], choices=list(BESIDE))
    asked = arguments.parse_args()
    params = load_params(Path("params.yaml"))
    threads = params.common.threads
    with tempfile.TemporaryDirectory() as folder:
        model = make(Path(folder), params)
        make_gguf(Path(folder), model, params)
        alone = measure_alone(model, threads)
        rows, single = [], None
        for name, engine in engines(Path(folder), model, threads, asked.without).items():
            with running(engine, Path(folder) / f"{name}.log") as (url, ready_s):
                if name == OURS:
                    single = load(url, str(model), clients=1, requests=ALONE_REQUESTS)
                loads = [load(url, str(model), clients=clients, seconds=asked.seconds) for clients in CLIENTS]
                rows += [row(name, ready_s, one) for one in loads]
                print(*rows[-len(CLIENTS) :], sep="\n", flush=True)
    assert single is not None
    overhead = {
        "engine_alone_p50_ms": round(1000 * quantile(alone, 0.5), 2),
        "endpoint_p50_ms": round(1000 * quantile(single.latencies, 0.5), 2),
    }
    said = (
        f"{params.base.model}'s shape with random weights in 32 bits, {len(prompts())} questions, "
        f"{NEW_TOKENS} tokens each, {threads} threads; {FORM} where it is said; loads of {asked.seconds:g} s"
    )
    more = {"overhead": overhead, "tokens_per_s_over": ratios(rows)}
    write("serve", Outcome({"said": said}, versions(asked.without), rows, goals(rows, overhead), more))
    return 0


def engines(folder: Path, model: Path, threads: int, without: list[str]) -> dict[str, Engine]:
    """The servers by name, ours first."""
    python, peers = sys.executable, HERE / "peers"
    theirs = [str(Path(python).with_name("transformers")), "serve", str(model), "--device", "cpu"]
    found = {
        OURS: Engine([python, str(HERE / "serve_ours.py")], "/readyz", {"ACCLIMATE_HOME": str(folder)}),
        PLAIN: Engine([python, str(peers / "plain_server.py"), str(model), str(threads)], "/livez", {}),
        TRANSFORMERS: Engine(
            [*theirs, "--host", "127.0.0.1", "--port"],
            "/health",
            {"OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"},
        ),
    }
    gguf = folder / "gguf"
    found[OURS_GGUF] = Engine([python, str(HERE / "serve_ours.py")], "/readyz", {"ACCLIMATE_HOME": str(gguf)})
    for name, served in ((LLAMA, model), (LLAMA_GGUF, gguf / "model")):
        if name not in without:
            script = [str(environment("llama-cpp")), str(peers / "llama_cpp_server.py"), str(served), str(threads)]
            found[name] = Engine(script, "/health", {})
    return {name: engine for name, engine in found.items() if name not in without}


@contextmanager
def running(engine: Engine, log: Path) -> Iterator[tuple[str, float]]:
    """A server for as long as the block lasts: its address, and the seconds until it was ready."""
    port = free_port()
    with log.open("w") as output:
        process = subprocess.Popen(
            [*engine.command, str(port)],
            env={**os.environ, **engine.environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        yield url, wait_until_ready(url + engine.ready, process, log)
    finally:
        process.terminate()
        process.wait(30)


def measure_alone(model: Path, threads: int) -> list[float]:
    """Seconds per answer of `generate` in a process of its own, without anything around it."""
    command = [sys.executable, str(HERE / "serve_alone.py"), str(model), str(threads), str(ALONE_REQUESTS)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **SPINS})
    seconds: list[float] = json.loads(done.stdout.splitlines()[-1])
    return seconds


def row(name: str, ready_s: float, one: Load) -> Served:
    """One load in numbers."""
    p50, p95, p99 = (round(quantile(one.latencies, share), 3) for share in (0.5, 0.95, 0.99))
    rate = round(one.tokens / one.seconds, 1)
    return Served(name, one.clients, len(one.latencies), rate, p50, p95, p99, round(ready_s, 2))


def ratios(rows: list[Served]) -> dict[str, dict[str, float]]:
    """Our tokens per second over each peer's, by the number of clients."""
    rate = {(one.engine, one.clients): one.tokens_per_s for one in rows}
    return {
        peer: {str(clients): round(rate[ours, clients] / rate[peer, clients], 2) for clients in CLIENTS}
        for peer, ours in BESIDE.items()
        if (peer, CLIENTS[0]) in rate
    }


def goals(rows: list[Served], overhead: dict[str, float]) -> list[Goal]:
    """What was wanted of the endpoint."""
    over = ratios(rows)
    wanted = []
    for clients in map(str, CLIENTS):
        plain = over[PLAIN][clients] if PLAIN in over else None
        wanted.append(at_least(f"tokens/s over the plain loop's, {clients} clients", 3.0, plain))
    for clients in map(str, CLIENTS):
        least = min((over[name][clients] for name in SAME_WEIGHTS if name in over), default=None)
        name = f"tokens/s over the fastest peer's with the same weights, {clients} clients"
        wanted.append(at_least(name, 1.0, least))
    added = round(overhead["endpoint_p50_ms"] - overhead["engine_alone_p50_ms"], 2)
    ready = next(one.ready_s for one in rows if one.engine == OURS)
    return [
        *wanted,
        at_most("added to the engine alone, p50 (ms)", 5.0, added),
        at_most("cold start to ready (s)", 10.0, ready),
    ]


def versions(without: list[str]) -> dict[str, str]:
    """Of what was compared."""
    found = {name: importlib.metadata.version(name) for name in MEASURED}
    if {LLAMA, LLAMA_GGUF} <= set(without):
        return found
    return {**found, "xllamacpp": version(environment("llama-cpp"), "xllamacpp")}


if __name__ == "__main__":
    sys.exit(main())
