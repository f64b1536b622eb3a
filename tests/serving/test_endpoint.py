from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from acclimate.core.errors import UserError
from acclimate.core.files import read_json, write_json
from acclimate.core.params import with_changes
from acclimate.core.reports import report_path
from acclimate.release.endpoint import require_free_port
from acclimate.release.registry import connect

from .conftest import START_SECONDS

MODEL = "acclimate-scientific-python"
BATCH = json.dumps({"requests": [{"prompt": f"numpy {n}"} for n in range(16)]}).encode()


def descendants(pid: int) -> set[int]:
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def children(pid: int) -> set[int]:
    return {child for child in descendants(pid) if _parent(child) == pid}


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def until(condition: Any, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def test_it_follows_the_champion_under_load_survives_a_crash_and_leaves_nothing_behind(
    gated_run: Path, tmp_path: Path, start_endpoint: Any, release_run: Any
) -> None:
    dials = gated_run / "params.yaml"
    dials.write_text(with_changes(dials.read_text(encoding="utf-8"), {"package.weights": "merged"}), encoding="utf-8")
    verdict = report_path("evaluate_quantized", gated_run)
    write_json(verdict, read_json(verdict) | {"weights": "merged"})
    other = Path(shutil.copytree(gated_run, tmp_path / "run-b"))
    with start_endpoint(tmp_path) as running:
        until(lambda: f"{MODEL} has no champion yet: waiting" in running.output.read_text(), START_SECONDS)
        until(lambda: running.status("/api/v1/health") == 503, START_SECONDS)
        live = running.json("/api/v1/health")
        assert (live["live"], live["ready"], live["why"]) == (True, False, f"{MODEL} has no champion yet")
        assert running.ask(prompt="x") == (503, {"error": f"{MODEL} has no champion yet", "reason": "not_ready"})

        release_run(gated_run)
        running.wait_for("1")

        (wrapper,) = children(running.process.pid)
        os.kill(wrapper, signal.SIGKILL)
        until(lambda: "starting it again in 2 s" in running.output.read_text())
        running.wait_for("1")

        # The same weights as another version: what counts here is that the alias is followed.
        connect().set_model_version_tag(MODEL, "1", "adapter_sha256", "superseded")
        processes = descendants(running.process.pid)
        with asked_all_the_time(running, clients=4) as answers:
            release_run(other)
            running.wait_for("2")
            until(lambda: answers[-1][1].get("version") == "2")
        assert {status for status, _ in answers} == {200}
        served = [answer["version"] for _, answer in answers]
        assert set(served) == {"1", "2"}
        assert descendants(running.process.pid) == processes, "a new model is served by the process that is there"

        assert processes
        with ThreadPoolExecutor(4) as pool:
            # Begun, and not: begun and none of them finished, which can be over between two looks.
            before = begun(running)
            asked = [pool.submit(running.post, BATCH, path="/api/v1/generate/batch") for _ in range(4)]
            until(lambda: begun(running) == before + 4)
            running.process.send_signal(signal.SIGTERM)
        assert [(status, len(answer["answers"])) for status, answer in (one.result() for one in asked)] == [
            (200, 16)
        ] * 4
        assert running.process.wait(60) == 0
        until(lambda: not any(Path(f"/proc/{child}").exists() for child in processes), 10)


def begun(running: Any) -> int:
    """Requests for answers that the service has begun so far, finished or not."""
    metrics = running.get("/metrics").splitlines()
    lines = dict(line.rsplit(" ", 1) for line in metrics if line.startswith("acclimate_requests_"))
    finished = [value for name, value in lines.items() if "total" in name and 'role="champion"' in name]
    return sum(int(float(value)) for value in finished) + in_progress(running, metrics)


def in_progress(running: Any, metrics: list[str] | None = None) -> int:
    """Requests that the service has begun and not finished, this one aside."""
    metrics = metrics or running.get("/metrics").splitlines()
    lines = dict(line.rsplit(" ", 1) for line in metrics if not line.startswith("#"))
    return sum(int(float(value)) for name, value in lines.items() if name.startswith("acclimate_requests_in_pro")) - 1


@contextlib.contextmanager
def asked_all_the_time(running: Any, *, clients: int) -> Iterator[list[tuple[int, dict[str, Any]]]]:
    """Status and answer of every request of several clients that ask one after the other while the block lasts."""
    answers: list[tuple[int, dict[str, Any]]] = []
    over = threading.Event()

    def _client() -> None:
        while not over.is_set():
            answers.append(running.ask(prompt="numpy", max_new_tokens=4))
            over.wait(0.05)

    with ThreadPoolExecutor(clients) as pool:
        asking = [pool.submit(_client) for _ in range(clients)]
        try:
            until(lambda: answers)
            yield answers
        finally:
            over.set()
    for client in asking:
        client.result()


def test_a_busy_port_is_named_with_the_option_that_moves_it() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(UserError) as fault:
            require_free_port("127.0.0.1", port)
    assert f"port {port} on 127.0.0.1" in fault.value.what
    assert f"--port {port + 1}" in fault.value.fix


def test_a_registry_that_is_not_up_yet_is_waited_for(
    gated_run: Path, tmp_path: Path, start_endpoint: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with start_endpoint(tmp_path) as running:
        until(lambda: "no MLflow server answers at http://127.0.0.1:9" in running.output.read_text())
        assert running.process.poll() is None
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(30) == 0
