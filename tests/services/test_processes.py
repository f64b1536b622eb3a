"""Services are started once, recorded exactly, and only they are ended."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from acclimate.core.errors import UserError
from acclimate.services.processes import Service, log_path, recorded, start, stop, tail

SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    for service in recorded(tmp_path):
        stop(tmp_path, service)


def _eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def _start(root: Path, command: list[str] = SLEEPER, *, port: int = 0) -> Service:
    return start(root, "sleeper", command, dict(os.environ), port=port)


def test_starting_twice_starts_one_process(root: Path) -> None:
    first, second = _start(root), _start(root)
    assert first == second
    assert recorded(root) == [first]
    assert _eventually(lambda: tail(log_path(root, "sleeper")) == "up")


def test_stopping_ends_the_process_and_what_it_started(root: Path) -> None:
    sleep = "[sys.executable, '-c', 'import time; time.sleep(60)']"
    child = f"import subprocess, sys; p = subprocess.Popen({sleep}); print(p.pid, flush=True); p.wait()"
    service = _start(root, [sys.executable, "-c", child])
    assert _eventually(lambda: tail(log_path(root, "sleeper")) != "")
    grandchild = int(tail(log_path(root, "sleeper")))
    assert stop(root, service)
    assert not service.alive()
    assert _eventually(lambda: not Path(f"/proc/{grandchild}").exists())
    assert recorded(root) == []


def test_a_service_that_ignores_the_polite_signal_is_killed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("acclimate.services.processes.STOP_SECONDS", 0.5)
    stubborn = (
        "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    )
    service = _start(root, [sys.executable, "-c", stubborn])
    assert _eventually(lambda: tail(log_path(root, "sleeper")) == "up")
    assert stop(root, service)
    assert not service.alive()


def test_another_process_with_the_recorded_id_is_left_alone(root: Path) -> None:
    service = _start(root)
    earlier = replace(service, name="earlier", started=service.started - 1)
    assert not earlier.alive(), "another start time is another process"
    assert not stop(root, earlier)
    assert service.alive()


def test_a_dead_service_is_started_again(root: Path) -> None:
    first = _start(root)
    os.kill(first.pid, signal.SIGKILL)
    assert _eventually(lambda: not first.alive())
    assert _start(root).pid != first.pid


def test_a_taken_port_is_named_with_the_option_that_moves_it(root: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(UserError, match=rf"port {port} on 127.0.0.1, wanted by airflow-api-server") as fault:
            start(root, "airflow-api-server", SLEEPER, dict(os.environ), port=port)
    assert f"make demo AIRFLOW_PORT={port + 1}" in str(fault.value)
    assert recorded(root) == []


def test_moving_the_port_of_a_running_service_is_refused(root: Path) -> None:
    _start(root, port=0)
    with pytest.raises(UserError, match="runs already, on port 0, not 4711"):
        _start(root, port=4711)
