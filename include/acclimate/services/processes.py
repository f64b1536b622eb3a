"""Start a service, remember exactly which process it is, and end that process and no other.

A process id alone may belong to somebody else after a restart, so a record holds the kernel's start
time beside it (field 22 of /proc/<pid>/stat, proc(5)).
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from acclimate.core.errors import UserError
from acclimate.core.files import read_json, write_json
from acclimate.core.home import state

STOP_SECONDS = 20.0
"""What a service is given to end by itself before it is killed."""


@dataclass(frozen=True)
class Service:
    """A process of ours: its name, id, kernel start time (clock ticks since boot) and port (0: none)."""

    name: str
    pid: int
    started: int
    port: int

    def alive(self) -> bool:
        """Whether this very process still runs."""
        return _start_time(self.pid) == self.started


def log_path(root: Path, name: str) -> Path:
    """Where a service writes what it prints."""
    return state(root) / "logs" / f"{name}.log"


def recorded(root: Path) -> list[Service]:
    """The services started from this checkout, in the order they were started, alive or not."""
    records = [Service(**read_json(path)) for path in (state(root) / "services").glob("*.json")]
    return sorted(records, key=lambda service: service.started)


def start(root: Path, name: str, command: list[str], environment: dict[str, str], *, port: int = 0) -> Service:
    """Start a service in a session of its own and record it; one that runs already is left as it is.

    Raises:
        UserError: if its port is taken by somebody else, or it runs already on another port.
    """
    for service in recorded(root):
        if service.name == name and service.alive():
            _require_same_port(service, port)
            return service
    if port:
        require_free_port(name, port)
    log = log_path(root, name)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    started = _start_time(process.pid)
    assert started is not None
    service = Service(name, process.pid, started, port)
    write_json(state(root) / "services" / f"{name}.json", asdict(service))
    return service


def stop(root: Path, service: Service) -> bool:
    """End a recorded service with everything it started, and forget it; True if it was running."""
    running = service.alive()
    if running:
        os.killpg(service.pid, signal.SIGTERM)
        if not _gone(service, STOP_SECONDS):
            os.killpg(service.pid, signal.SIGKILL)
            ended = _gone(service, STOP_SECONDS)
            assert ended, f"{service} survived SIGKILL"
    (state(root) / "services" / f"{service.name}.json").unlink(missing_ok=True)
    return running


def require_free_port(name: str, port: int) -> None:
    """Raise UserError if something listens on the loopback port already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as fault:
            variable = f"{name.split('-', maxsplit=1)[0].upper()}_PORT"
            raise UserError(
                f"port {port} on 127.0.0.1, wanted by {name}, cannot be had: {fault.strerror}",
                why="two servers cannot listen on one port",
                fix=f"end the other one, or choose another port: make demo {variable}={port + 1}",
            ) from None


def tail(path: Path, lines: int = 15) -> str:
    """The last lines of a log, for an error message; empty if there is no log."""
    if not path.exists():
        return ""
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


def _require_same_port(service: Service, port: int) -> None:
    if service.port != port:
        raise UserError(
            f"{service.name} runs already, on port {service.port}, not {port}",
            why="one checkout has one set of services",
            fix="run `make stop` first, then start with the new port",
        )


def _gone(service: Service, seconds: float) -> bool:
    """Wait up to `seconds` for the process to end; whether it did."""
    deadline = time.monotonic() + seconds
    while service.alive() and time.monotonic() < deadline:
        time.sleep(0.05)
    return not service.alive()


def _start_time(pid: int) -> int | None:
    """Kernel start time of a process in clock ticks, or None if it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else int(fields[19])
