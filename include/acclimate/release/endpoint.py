"""Serve the champion, and follow the alias when it moves.

    acclimate endpoint [--host 127.0.0.1] [--port 3000]

Runs in the foreground until it is told to stop. One child process answers requests from the start, with a champion or
without; a crash restarts it, later each time. Every two seconds the registry is asked which version is champion, and
a file tells the child, which changes models while it serves (acclimate.serving).
"""

from __future__ import annotations

import argparse
import ipaddress
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import FrameType

from acclimate.core import supervise
from acclimate.core.errors import UserError
from acclimate.core.files import write_json
from acclimate.core.home import home
from acclimate.core.params import EndpointParams, load
from acclimate.core.waiting import SPINS
from acclimate.release import api_keys
from acclimate.release.client import KEY
from acclimate.release.contents import SERVICE
from acclimate.release.keys import trusted_key, trusted_path
from acclimate.release.package import bento_environment, source_path
from acclimate.release.registry import CHAMPION, connect, model_name, version_at
from acclimate.release.roles import now, places, set_adapters, set_champion
from acclimate.release.siblings import siblings
from acclimate.release.signing import PINNED
from acclimate.release.vllm_environment import vllm_python
from acclimate.serving.engine_vllm import PYTHON
from acclimate.serving.guardrails.rails import Rails
from acclimate.serving.places import VARIABLE

POLL_SECONDS = 2.0
KEEP_SECONDS = 0.2
"""Between two looks whether the service still runs."""
LONGEST_PAUSE_SECONDS = 60.0
"""Between restarts of a service that keeps ending by itself; the first pause is POLL_SECONDS."""
STEADY_SECONDS = 60.0
"""A child that ran this long was no failure to start: its next restart is early again."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--host, --port."""
    port = int(os.environ.get("ACCLIMATE_ENDPOINT_PORT", "3000"))
    parser.add_argument("--host", default="127.0.0.1", help="default 127.0.0.1: this machine only")
    parser.add_argument("--port", type=int, default=port, help="default ACCLIMATE_ENDPOINT_PORT, else 3000")


def main(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT."""
    stop = threading.Event()

    def _stop(_: int, __: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    follow(arguments.host, arguments.port, stop)
    return 0


def follow(host: str, port: int, stop: threading.Event) -> None:
    """Serve whichever Bento is the champion's until `stop` is set; nothing is left running afterwards.

    Raises:
        UserError: if the port is taken, or the engine is not there.
    """
    require_free_port(host, port)
    params = load(home() / "params.yaml")
    name, settings = model_name(params.ingest.domain), guarded(params.endpoint, host)
    Rails(settings.guardrails)  # what the service could not read is refused here
    engine = {PYTHON: str(vllm_python())} if settings.engine == "vllm" else {}
    write_json(places().settings, settings.model_dump(mode="json"))
    if now().champion is None:
        set_champion(None, "the registry has not been asked yet")
    # If the wrapper around the service is killed, its processes become ours to end: they hold the port.
    supervise.adopt_orphans()
    child, told = Child(host, port, settings.drain_seconds, engine), ""
    say(f"following the champion of {name} on http://{host}:{port}")
    with ThreadPoolExecutor(1, thread_name_prefix="keep") as thread:
        kept = thread.submit(_keep, child, stop)
        try:
            while not stop.is_set() and not kept.done():
                if (news := follow_alias(name)) != told:
                    say(news)
                    told = news
                stop.wait(POLL_SECONDS)
        finally:
            stop.set()
        kept.result()


def _keep(child: Child, stop: threading.Event) -> None:
    """Keep the service running until told to stop, however long the registry takes to answer meanwhile.

    It ends here too: to the kernel, the thread that started a process is its parent (prctl(2), PR_SET_PDEATHSIG).
    """
    try:
        while not stop.is_set():
            child.keep()
            stop.wait(KEEP_SECONDS)
    finally:
        child.end()


def follow_alias(name: str) -> str:
    """Have the registry's champion served, and say what is; what is served stays if the registry cannot be asked."""
    from mlflow.exceptions import MlflowException

    from acclimate.release.canary.settling import settle

    try:
        tag, why = champion_bento(name)
        others = siblings(name, tag) if tag else {}
        concluded = settle()
    except (UserError, MlflowException) as fault:
        # A registry that is down for a while is no reason to stop serving; neither is one not up yet.
        what = fault.what if isinstance(fault, UserError) else str(fault).splitlines()[0]
        if served := now().champion:
            return f"{what}; version {served.version} stays served"
        set_champion(None, what)
        return f"{what}; waiting"
    set_champion(tag, why)
    set_adapters(others)
    if concluded:
        say(concluded)
    return f"serving {tag}" if tag else f"{why}: waiting"


def champion_bento(name: str) -> tuple[str | None, str]:
    """The tag of the champion's Bento; or None and why: there is no champion, or its Bento is not in the store."""
    version = version_at(connect(), name, CHAMPION)
    if version is None:
        return None, f"{name} has no champion yet"
    tag = version.tags.get("bento")
    if tag and source_path(tag).exists():
        trusted_key()  # is there from now on, for the service to check the Bento with
        return tag, ""
    return None, f"version {version.version} of {name} is champion and has no Bento here"


def guarded(settings: EndpointParams, host: str) -> EndpointParams:
    """The settings for a host: keys are required where others than this machine can ask.

    Raises:
        UserError: if they are, and nobody could ask because there is no key.
    """
    if key := os.environ.get(KEY):
        api_keys.adopt(key)
    local = ipaddress.ip_address(host).is_loopback  # serving/process.py takes addresses only
    if local and settings.keys == "auto":
        return settings
    if not api_keys.any_valid():
        raise UserError(
            f"there is no API key, and requests to {host} need one",
            why="whoever reaches this port could use the model",
            fix="make one with `acclimate keys create NAME`, or serve on 127.0.0.1 with endpoint.keys: auto",
        )
    return settings.model_copy(update={"keys": "required"})


def require_free_port(host: str, port: int) -> None:
    """Raise UserError if something listens on the port already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as fault:
            raise UserError(
                f"port {port} on {host} cannot be had: {fault.strerror}",
                why="the endpoint listens there",
                fix=f"end what uses it, or choose another: `acclimate endpoint --port {port + 1}`",
            ) from None


def say(line: str) -> None:
    """Print a line at once: the endpoint's log is read while it runs."""
    print(line, flush=True)


@dataclass
class Child:
    """The one serving process: since when it runs, and how often it ended by itself."""

    host: str
    port: int
    drain_seconds: float
    engine: dict[str, str] = field(default_factory=dict)
    """In its environment: where the engine is."""
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0
    not_before: float = 0.0

    def keep(self) -> None:
        """Start it if it does not run; after a pause, if it ended by itself."""
        if self.process is not None and self.process.poll() is not None:
            self._note_failure(self.process.returncode)
        if self.process is None and time.monotonic() >= self.not_before:
            self._start()

    def end(self) -> None:
        """Have the serving process finish what it began, and end everything below it; no complaint if there is none."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait()
            self.process = None
        supervise.end_descendants(self.drain_seconds)

    def _start(self) -> None:
        serve = [sys.executable, "-m", "acclimate.serving.process", self.host, str(self.port)]
        settings = {VARIABLE: str(places().folder), PINNED: str(trusted_path()), **SPINS, **self.engine}
        environment = supervise.environment({**bento_environment(), **settings}, grace=self.drain_seconds)
        self.process = subprocess.Popen(
            supervise.command(serve),
            cwd=SERVICE,
            env=environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.started = time.monotonic()

    def _note_failure(self, code: int) -> None:
        ended = time.monotonic()
        self.failures = 1 if ended - self.started > STEADY_SECONDS else self.failures + 1
        pause = min(POLL_SECONDS * 2 ** (self.failures - 1), LONGEST_PAUSE_SECONDS)
        self.process, self.not_before = None, ended + pause
        supervise.end_descendants()
        say(f"the service ended by itself with status {code}; starting it again in {pause:.0f} s")
