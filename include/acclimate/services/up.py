"""Start the embedded services on loopback and wait until they answer.

    acclimate up [--airflow-port 8080] [--mlflow-port 5000] [--endpoint-port 3000]

Starting twice changes nothing; `acclimate stop` ends exactly what this started.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from acclimate.core.errors import UserError
from acclimate.core.home import home, state
from acclimate.services.airflow_api import AirflowApi
from acclimate.services.processes import Service, log_path, recorded, start, tail
from acclimate.services.settings import (
    LOOPBACK,
    Ports,
    add_port_options,
    airflow_environment,
    chosen_ports,
    common_environment,
    load_secrets,
)

POOLS = {"light": 4, "training": 1}
"""Airflow pools and their slots: one training at a time, or two would fight for the same cores or GPU."""

DAGS = ("adapt_data", "adapt_model", "adapt_release", "adapt_watch", "batch_transform")
READY_SECONDS = 240.0
NO_LOG_SERVER = ("--skip-serve-logs",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The ports."""
    add_port_options(parser)


def main(arguments: argparse.Namespace) -> int:
    """Start everything and print where it is."""
    ports = chosen_ports(arguments)
    up(home(), ports, say=lambda line: print(line, flush=True))
    return 0


def up(root: Path, ports: Ports, *, say: Callable[[str], None]) -> AirflowApi:
    """Start what does not run yet and return a client of the running Airflow.

    Raises:
        UserError: if the environments are missing, a port is taken, or a service ends or does not
            answer in time; the end of its log is in the message.
    """
    begun = time.monotonic()
    _require_environments(root)
    _start_mlflow(root, ports)
    _start_airflow(root, ports)
    commands = _commands(root)
    endpoint = [commands / "acclimate", "endpoint", "--port", str(ports.endpoint)]
    start(root, "endpoint", [str(part) for part in endpoint], common_environment(root, ports), port=ports.endpoint)
    api = AirflowApi(ports.airflow_url, load_secrets(root).password)
    _wait(root, "mlflow", lambda: _answers(f"{ports.mlflow_url}/health"))
    _wait(root, "airflow-api-server", lambda: _answers(f"{ports.airflow_url}/api/v2/version"))
    api.ensure_pools(POOLS)
    _wait(root, "airflow-dag-processor", lambda: _dags_loaded(api))
    _wait(root, "airflow-scheduler", lambda: _healthy(api))
    say(f"services are up after {time.monotonic() - begun:.0f} s (logs in {state(root) / 'logs'})")
    say(f"  Airflow   {ports.airflow_url}  user admin, password in {state(root) / 'airflow/passwords.json'}")
    say(f"  MLflow    {ports.mlflow_url}")
    say(f"  endpoint  {ports.endpoint_url}  (answers once there is a champion)")
    return api


def _commands(root: Path) -> Path:
    return Path(os.environ.get("ACCLIMATE_BIN", root / ".venv/bin"))


def _airflow(root: Path) -> Path:
    return Path(os.environ.get("ACCLIMATE_AIRFLOW_BIN", root / ".venv-airflow/bin"))


def _require_environments(root: Path) -> None:
    for command in (_commands(root) / "acclimate", _airflow(root) / "airflow"):
        if not command.exists():
            raise UserError(
                f"{command} does not exist",
                why="the services run in two virtual environments that set-up makes",
                fix="run `make setup`",
            )


def _start_mlflow(root: Path, ports: Ports) -> Service:
    folder = state(root) / "mlflow"
    (folder / "artifacts").mkdir(parents=True, exist_ok=True)
    command = [
        *(str(_commands(root) / "mlflow"), "server", "--workers", "1"),
        *("--host", LOOPBACK, "--port", str(ports.mlflow)),
        *("--backend-store-uri", f"sqlite:///{folder}/mlflow.db"),
        # Clients on this machine write artifacts themselves, so that they also can without the server.
        *("--no-serve-artifacts", "--default-artifact-root", str(folder / "artifacts")),
    ]
    # Its job runner would be eight more processes, for evaluations that MLflow is not asked to run here.
    environment = {**common_environment(root, ports), "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    return start(root, "mlflow", command, environment, port=ports.mlflow)


def _start_airflow(root: Path, ports: Ports) -> None:
    environment = airflow_environment(root, ports)
    airflow = str(_airflow(root) / "airflow")
    running = {service.name for service in recorded(root) if service.alive()}
    if "airflow-api-server" not in running:
        _migrate(root, airflow, environment)
    start(root, "airflow-api-server", [airflow, "api-server"], environment, port=ports.airflow)
    # The API server reads their logs from the disk; a server for them would listen on every interface.
    for name, options in (("scheduler", NO_LOG_SERVER), ("dag-processor", ()), ("triggerer", NO_LOG_SERVER)):
        start(root, f"airflow-{name}", [airflow, name, *options], environment)


def _migrate(root: Path, airflow: str, environment: dict[str, str]) -> None:
    log = log_path(root, "airflow-migrate")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        done = subprocess.run(
            [airflow, "db", "migrate"], env=environment, cwd=root, stdout=output, stderr=subprocess.STDOUT, check=False
        )
    if done.returncode:
        raise UserError(
            f"Airflow could not prepare its database:\n{tail(log)}",
            why="nothing can be scheduled without it",
            fix=f"read {log}; removing .acclimate/airflow starts afresh and forgets past DAG runs",
        )


def _wait(root: Path, name: str, ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not ready():
        alive = any(service.name == name and service.alive() for service in recorded(root))
        if not alive or time.monotonic() > deadline:
            what = "did not become ready in time" if alive else "ended by itself"
            raise UserError(
                f"{name} {what}; the end of its log:\n{tail(log_path(root, name))}",
                why="the pipeline needs it",
                fix=f"read {log_path(root, name)}, then `make stop` and try again",
            )
        time.sleep(0.5)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def _dags_loaded(api: AirflowApi) -> bool:
    loaded = {dag["dag_id"] for dag in api.get("dags", limit=100)["dags"]}
    errors = api.get("importErrors")["import_errors"]
    if errors:
        raise UserError(
            f"{errors[0]['filename']} does not load:\n{errors[0]['stack_trace']}",
            why="its DAG cannot run",
            fix="mend the file named above",
        )
    return loaded.issuperset(DAGS)


def _healthy(api: AirflowApi) -> bool:
    health = api.get("monitor/health")
    return all(health[part]["status"] == "healthy" for part in ("metadatabase", "scheduler", "dag_processor"))
