"""Real endpoints on free loopback ports, each ended by its own process id."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from acclimate.release.client import health
from acclimate.release.package import package
from acclimate.release.register import register
from acclimate.release.versions.moves import promote

START_SECONDS = 240.0
"""An idle machine takes ten; one that is busy with other tests has taken ninety."""


@dataclass
class Running:
    """An `acclimate endpoint` process and where it listens."""

    process: subprocess.Popen[str]
    port: int
    output: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def post(
        self, body: bytes, content_type: str | None = "application/json", path: str = "/api/v1/generate"
    ) -> tuple[int, dict[str, Any]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {} if content_type is None else {"Content-Type": content_type}
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        answer = json.loads(response.read())
        connection.close()
        return response.status, answer

    def ask(self, **fields: Any) -> tuple[int, dict[str, Any]]:
        return self.post(json.dumps(fields).encode())

    def get(self, path: str) -> str:
        return self._get(path)[1]

    def json(self, path: str) -> Any:
        return json.loads(self.get(path))

    def status(self, path: str) -> int:
        """Of a GET; 0 while nothing listens."""
        try:
            return self._get(path)[0]
        except ConnectionError:
            return 0

    def _get(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", path)
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        return response.status, text

    @staticmethod
    def until(condition: Callable[[], Any], seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.05)

    def wait_for(self, version: str) -> dict[str, Any]:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            now = health(self.url)
            if now is not None and now["version"] == version:
                return now
            assert self.process.poll() is None, self.output.read_text()
            time.sleep(0.2)
        raise AssertionError(f"no version {version} after {START_SECONDS} s:\n{self.output.read_text()}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def release(checkout: Path) -> None:
    model = register(checkout)["model"]
    package(checkout)
    promote(checkout, model)


@contextlib.contextmanager
def endpoint(folder: Path) -> Iterator[Running]:
    """`acclimate endpoint` as a process, in the environment of the test."""
    port, output = free_port(), folder / "endpoint.log"
    command = [sys.executable, "-m", "acclimate.cli", "endpoint", "--port", str(port)]
    with output.open("w") as file:
        process = subprocess.Popen(
            command, cwd=folder, stdout=file, stderr=subprocess.STDOUT, text=True, env=os.environ
        )
    try:
        yield Running(process, port, output)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


@pytest.fixture
def start_endpoint() -> Callable[[Path], contextlib.AbstractContextManager[Running]]:
    """Starts an endpoint in a folder, for as long as a with-block lasts."""
    return endpoint


@pytest.fixture
def release_run() -> Callable[[Path], None]:
    """Registers, packages and promotes a gated run."""
    return release


@pytest.fixture(scope="session")
def served(
    finished_run: Path, migrated_database: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Running, Path]]:
    """One endpoint that serves the finished run's model, for all tests; and the ACCLIMATE_HOME that it has."""
    home = tmp_path_factory.mktemp("served")
    (home / ".acclimate/mlflow").mkdir(parents=True)
    shutil.copyfile(migrated_database, home / ".acclimate/mlflow/mlflow.db")
    shutil.copyfile(finished_run / "params.yaml", home / "params.yaml")
    checkout = Path(shutil.copytree(finished_run, home / "run-a"))
    with contextlib.ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ACCLIMATE_HOME", str(home))
            patch.delenv("MLFLOW_TRACKING_URI", raising=False)
            release(checkout)
            running = stack.enter_context(endpoint(home))
        running.wait_for("1")
        yield running, home
