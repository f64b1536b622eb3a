"""Serve the champion, and follow the alias when it moves.

    acclimate endpoint [--host 127.0.0.1] [--port 3000]

Runs in the foreground until it is told to stop. It asks the registry every two seconds which version
is champion and serves that version's Bento in a child process; a promotion or a rollback replaces the
child, a crash restarts it, later each time.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from acclimate.core import supervise
from acclimate.core.errors import UserError
from acclimate.core.home import home, state
from acclimate.core.params import load
from acclimate.release.keys import trusted_key
from acclimate.release.package import bento_environment, bento_path
from acclimate.release.registry import CHAMPION, connect, model_name, version_at
from acclimate.release.signing import PINNED

POLL_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 60.0
"""Between restarts of a Bento that keeps ending by itself; the first pause is POLL_SECONDS."""
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


def request_log() -> Path:
    """Where the endpoint writes what it is asked, for `acclimate collect`."""
    return state() / "endpoint" / "requests.jsonl"


def follow(host: str, port: int, stop: threading.Event) -> None:
    """Serve whichever Bento is the champion's until `stop` is set; nothing is left running afterwards.

    Raises:
        UserError: if the port is taken.
    """
    from mlflow.exceptions import MlflowException

    require_free_port(host, port)
    out_of_reach = ""
    name = model_name(load(home() / "params.yaml").ingest.domain)
    request_log().parent.mkdir(parents=True, exist_ok=True)
    # If the wrapper around a Bento is killed, its processes become ours to end: they hold the port.
    supervise.adopt_orphans()
    child = Child(host, port)
    say(f"following the champion of {name} on http://{host}:{port}")
    try:
        while not stop.is_set():
            try:
                child.serve(champion_bento(name))
                out_of_reach = ""
            except (UserError, MlflowException) as fault:
                # A registry that is down for a while is no reason to stop serving; neither is one not up yet.
                what = fault.what if isinstance(fault, UserError) else str(fault).splitlines()[0]
                if what != out_of_reach:
                    say(f"{what}; {f'{child.tag} stays served' if child.tag else 'waiting'}")
                out_of_reach = what
            stop.wait(POLL_SECONDS)
    finally:
        child.end()


def champion_bento(name: str) -> str | None:
    """The tag of the champion's Bento, or None if there is no champion or its Bento is not in the store."""
    version = version_at(connect(), name, CHAMPION)
    tag = None if version is None else version.tags.get("bento")
    return tag if tag and bento_path(tag).exists() else None


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
    """The one serving process: which Bento it serves, since when, and how often it ended by itself."""

    host: str
    port: int
    tag: str | None = ""
    """What was last asked for; None: nothing, because there is no champion; "": never asked."""
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0
    not_before: float = 0.0

    def serve(self, tag: str | None) -> None:
        """Bring what runs in line with what should: start, replace, restart after a pause, or leave alone."""
        if self.process is not None and self.process.poll() is not None:
            self._note_failure(self.process.returncode)
        if tag != self.tag:
            self.end()
            self.tag, self.failures, self.not_before = tag, 0, 0.0
            say("no champion with a Bento yet: waiting" if tag is None else f"serving {tag}")
        if tag is not None and self.process is None and time.monotonic() >= self.not_before:
            self._start(tag)

    def end(self) -> None:
        """End the serving process and everything below it; no complaint if there is none."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait()
            self.process = None
        supervise.end_descendants()

    def _start(self, tag: str) -> None:
        serve = [*(sys.executable, "-m", "bentoml", "serve", tag), *("--host", self.host, "--port", str(self.port))]
        # Threads that wait by spinning starve each other as soon as two processes share a core.
        settings = {"ACCLIMATE_REQUEST_LOG": str(request_log()), "OMP_WAIT_POLICY": "PASSIVE"}
        settings[PINNED] = str(trusted_key())
        environment = supervise.environment({**bento_environment(), **settings})
        self.process = subprocess.Popen(
            supervise.command(serve), env=environment, stdin=subprocess.DEVNULL, start_new_session=True
        )
        self.started = time.monotonic()

    def _note_failure(self, code: int) -> None:
        now = time.monotonic()
        self.failures = 1 if now - self.started > STEADY_SECONDS else self.failures + 1
        pause = min(POLL_SECONDS * 2 ** (self.failures - 1), LONGEST_PAUSE_SECONDS)
        self.process, self.not_before = None, now + pause
        supervise.end_descendants()
        say(f"{self.tag} ended by itself with status {code}; starting it again in {pause:.0f} s")
