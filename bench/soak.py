"""An hour's worth of requests, good and bad, to a real `acclimate endpoint` whose processes are killed meanwhile.

    python bench/soak.py [--requests 3600] [--kills 6] [--unkilled 6000] [--clients 8]
                                                                  # writes bench/results/soak.json and .md

3,600 requests are one a second for an hour; here they come as fast as clients get their answers. In the first two
thirds the endpoint's processes are killed (SIGKILL), so many times. One in twenty-five requests is a job: what is
acknowledged has to be answered in the end, whatever was killed in between. What a request met while a process was down
is put down to the kill. Everything else has to go as it should.

Then another endpoint gets as many of the same requests as `--unkilled` says, and nothing is killed: what is measured
is how much its one process grows (bench/soak_memory.py).
"""

from __future__ import annotations

import argparse
import http.client
import importlib.metadata
import json
import random
import shutil
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from results_file import Goal, Outcome, at_least, at_most, write
from serve_load import free_port, quantile
from serve_model import make
from soak_clients import KINDS, WrongError
from soak_memory import growth
from soak_service import Life, Service, started

from acclimate.core.params import load as load_params

KILLED_SHARE = 2 / 3
"""Of the requests, during which processes are killed."""
MOST_JOBS = 32
"""Acknowledged and not fetched yet, of the 64 that are kept; a client that would hand in more asks something else."""
JOBS_SECONDS = 600.0
FLAT_MB = 2.0
"""More in a thousand requests, at most: what is kept of every request, if only 2 KB, would be that much. Readings lie
within 18 MB of each other, so it takes some thousands of requests to see it."""
FAULTS = (OSError, http.client.HTTPException, json.JSONDecodeError, IndexError, ValueError)
"""What a client meets when a connection breaks, before or in the middle of an answer."""


@dataclass(frozen=True)
class Asked:
    """All requests of one kind."""

    kind: str
    requests: int
    as_it_should: int
    met_a_kill: int
    wrong: int
    p50_s: float | None
    p99_s: float | None


@dataclass
class Soak:
    """What the clients share."""

    service: Service
    port: int
    requests: int
    begun: int = 0
    went: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    wrong: list[str] = field(default_factory=list)
    jobs: dict[str, bool] = field(default_factory=dict)
    """Acknowledged and not deleted yet, and whether its answers were fetched."""
    fetched: int = 0
    lost: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def client(self, seed: int) -> None:
        """Send one request after the other until all are sent."""
        chance = random.Random(seed)
        names, shares = list(KINDS), [kind.share for kind in KINDS.values()]
        while True:
            while not self.service.ready():  # a client that finds nobody comes again; it has asked nothing yet
                time.sleep(0.2)
            with self.lock:
                if self.begun >= self.requests:
                    return
                self.begun += 1
                full = len(self.jobs) >= MOST_JOBS
            name = chance.choices(names, shares)[0]
            self._ask("whole" if name == "job" and full else name, chance)

    def _ask(self, name: str, chance: random.Random) -> None:
        begun, fault, job = time.monotonic(), "", None
        try:
            job = KINDS[name].ask(self.port, chance)
        except (WrongError, *FAULTS) as found:
            fault = f"{name}: {type(found).__name__}: {found}"
        ended = time.monotonic()
        with self.lock:
            self.service.finished += 1
            if not fault:
                self.went[name]["as it should"] += 1
                self.seconds[name].append(ended - begun)
                if job is not None:
                    self.jobs[job] = False
            elif self.service.disturbed(begun, ended):
                self.went[name]["met a kill"] += 1
            else:
                self.went[name]["wrong"] += 1
                self.wrong.append(fault)

    def fetch(self) -> None:
        """Fetch what has become of the jobs, until all are there."""
        idle_since = time.monotonic()
        while not (self.over.is_set() and not self.jobs):
            before = self.fetched
            for job in list(self.jobs):
                self._fetch(job)
            if self.fetched > before or not self.over.is_set():
                idle_since = time.monotonic()
            if time.monotonic() - idle_since > JOBS_SECONDS:
                self.lost += [f"job {job} is not finished after {JOBS_SECONDS:g} s" for job in self.jobs]
                return
            time.sleep(1.0)

    def _fetch(self, job: str) -> None:
        begun = time.monotonic()
        try:
            if not self.jobs[job]:
                outcomes = json.loads(self._jobs(f"{job}/result"))["outcomes"]
                self.lost += [f"job {job}: {one['error']}" for one in outcomes if "error" in one]
                self.jobs[job] = True
            self._jobs(job, "DELETE")
        except urllib.error.HTTPError as refused:
            # A deletion that a kill cut off may have been done.
            gone = refused.code == 404 and self.jobs[job]
            if not gone and (refused.code == 409 or self.service.disturbed(begun, time.monotonic())):
                return
            if not gone:
                self.lost.append(f"job {job}: status {refused.code}")
        except FAULTS:
            return
        with self.lock:
            del self.jobs[job]
            self.fetched += 1

    def _jobs(self, path: str, method: str = "GET") -> bytes:
        asked = urllib.request.Request(f"{self.service.url}/api/v1/jobs/{path}", method=method)
        with urllib.request.urlopen(asked, timeout=30) as response:
            said: bytes = response.read()
            return said


def main() -> int:
    """Soak, and write what came of it; 1 if a goal was missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--requests", type=int, default=3600)
    parser.add_argument("--kills", type=int, default=6)
    parser.add_argument("--unkilled", type=int, default=6000, help="requests while memory is measured; 0: none")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only-say", action="store_true", help="write no results; for a short soak")
    asked = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        checkout = Path("params.yaml")
        make(Path(folder), load_params(checkout))
        shutil.copyfile(checkout, Path(folder) / "params.yaml")
        soak = one_soak(Path(folder), asked.requests, asked.kills, asked.clients, asked.seed)
        soaks, lives = [soak], list[Life]()
        if asked.unkilled:
            soaks.append(one_soak(Path(folder), asked.unkilled, 0, asked.clients, asked.seed + asked.clients))
            lives = soaks[-1].service.lives
    rows, wanted = table(soak), goals(soaks, asked.kills, lives)
    more = {
        "seconds": round(time.monotonic() - begun, 1),
        "killed": dict(Counter(soak.service.killed)),
        "seconds_until_ready_again": [round(last - first, 1) for first, last in soak.service.outages],
        "unkilled": asked.unkilled,
        "memory_mb": [every(life, asked.unkilled // 10) for life in lives],
        "wrong": [one for soak in soaks for one in soak.wrong][:20],
        "lost": [one for soak in soaks for one in soak.lost][:20],
    }
    said = (
        f"{asked.requests} requests of {asked.clients} clients at once, {asked.kills} kills, "
        f"and {asked.unkilled} without kills, in {more['seconds']} s; "
        "a model of the embedded default's shape with random weights"
    )
    if asked.only_say:
        print(json.dumps(more, indent=2), *(goal.line() for goal in wanted), sep="\n")
    else:
        versions = {name: importlib.metadata.version(name) for name in ("bentoml", "fastapi", "torch", "uvicorn")}
        write("soak", Outcome({"said": said}, versions, rows, wanted, more))
    return int(any(goal.met is False for goal in wanted))


def one_soak(folder: Path, requests: int, kills: int, clients: int, seed: int) -> Soak:
    """Start an endpoint, soak it, and end it."""
    port = free_port()
    with started(folder, port) as service:
        return soaked(Soak(service, port, requests), kills, clients, seed)


def soaked(soak: Soak, kills: int, clients: int, seed: int) -> Soak:
    """Let the clients loose, kill, and wait for all that was acknowledged."""
    asking = [threading.Thread(target=soak.client, args=(seed + number,)) for number in range(clients)]
    fetching = threading.Thread(target=soak.fetch)
    watching = threading.Thread(target=soak.service.watch, args=(soak.over,))
    for thread in (*asking, fetching, watching):
        thread.start()
    chance = random.Random(seed)
    places = sorted(int(soak.requests * KILLED_SHARE * (number + chance.random()) / kills) for number in range(kills))
    for place in places:
        while soak.service.finished < place and any(thread.is_alive() for thread in asking):
            time.sleep(0.01)
        soak.service.kill(chance)
    for thread in asking:
        thread.join()
    soak.over.set()
    for thread in (fetching, watching):
        thread.join()
    return soak


def table(soak: Soak) -> list[Asked]:
    """What became of the requests, by kind."""
    rows = []
    for name in KINDS:
        went, seconds = soak.went[name], soak.seconds[name]
        p50, p99 = (round(quantile(seconds, share), 3) if seconds else None for share in (0.5, 0.99))
        rows.append(Asked(name, went.total(), went["as it should"], went["met a kill"], went["wrong"], p50, p99))
    return rows


def every(life: Life, requests: int) -> list[tuple[int, int]]:
    """Megabytes of a process after every so many requests."""
    found: list[tuple[int, int]] = []
    for finished, megabytes in life.samples:
        if not found or finished >= found[-1][0] + requests:
            found.append((finished, round(megabytes)))
    return found


def goals(soaks: list[Soak], kills: int, lives: list[Life]) -> list[Goal]:
    """What an endpoint has to do under all this; `lives` are of the one that nobody killed."""
    killed, wrong, lost = (
        soaks[0].service.killed,
        sum(len(one.wrong) for one in soaks),
        sum(len(one.lost) for one in soaks),
    )
    grown = growth(lives[0].samples) if len(lives) == 1 else None
    return [
        at_least("processes killed", kills, len(killed)),
        at_least("jobs acknowledged and answered", 1, soaks[0].fetched),
        at_most("acknowledged and lost", 0, lost),
        at_most("answers that should not have been, no kill near (5xx among them)", 0, wrong),
        at_most("memory of one process that nobody killed, MB more per 1,000 requests", FLAT_MB, grown),
    ]


if __name__ == "__main__":
    sys.exit(main())
