"""Ports, secrets and environments of the embedded services.

Nothing here is in the repository: secrets are drawn at the first start and kept readable by the
owner only; ports are loopback ports.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from acclimate.core.files import read_json, write_private
from acclimate.core.home import state

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Ports:
    """One loopback port per service that listens."""

    airflow: int = 8080
    mlflow: int = 5000
    endpoint: int = 3000

    @property
    def airflow_url(self) -> str:
        """The Airflow UI and API."""
        return f"http://{LOOPBACK}:{self.airflow}"

    @property
    def mlflow_url(self) -> str:
        """The MLflow UI and tracking server."""
        return f"http://{LOOPBACK}:{self.mlflow}"

    @property
    def endpoint_url(self) -> str:
        """The served model."""
        return f"http://{LOOPBACK}:{self.endpoint}"


def add_port_options(parser: argparse.ArgumentParser) -> None:
    """--airflow-port, --mlflow-port, --endpoint-port."""
    for name, port in asdict(Ports()).items():
        parser.add_argument(f"--{name}-port", type=int, default=port, metavar="PORT", help=f"default {port}")


def chosen_ports(arguments: argparse.Namespace) -> Ports:
    """The ports of the command line."""
    return Ports(arguments.airflow_port, arguments.mlflow_port, arguments.endpoint_port)


@dataclass(frozen=True)
class Secrets:
    """What signs tokens, encrypts connections and lets the one embedded user in."""

    jwt: str
    session: str
    fernet: str
    password: str


def load_secrets(root: Path) -> Secrets:
    """The secrets of this checkout, drawn and written (mode 600) if there are none yet."""
    path = state(root) / "secrets.json"
    if not path.exists():
        write_private(path, json.dumps(asdict(draw_secrets())))
    return Secrets(**read_json(path))


def draw_secrets() -> Secrets:
    """New random secrets from the operating system's source."""
    return Secrets(
        jwt=secrets.token_urlsafe(48),
        session=secrets.token_urlsafe(48),
        fernet=base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        password=secrets.token_urlsafe(12),
    )


def common_environment(root: Path, ports: Ports) -> dict[str, str]:
    """What every service and every command inside a run sees."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {
        **inherited,
        "ACCLIMATE_HOME": str(root),
        "ACCLIMATE_BIN": str(root / ".venv/bin") if "ACCLIMATE_BIN" not in inherited else inherited["ACCLIMATE_BIN"],
        "ACCLIMATE_ENDPOINT_URL": ports.endpoint_url,
        "MLFLOW_TRACKING_URI": ports.mlflow_url,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "BENTOML_DO_NOT_TRACK": "True",
        "DO_NOT_TRACK": "1",
        "PYTHONUNBUFFERED": "1",
    }


def airflow_environment(root: Path, ports: Ports) -> dict[str, str]:
    """Airflow on SQLite and LocalExecutor, listening on loopback, with a password for its one user.

    SQLite and a single machine are for a laptop; docker-compose.yaml has PostgreSQL.
    """
    keys = load_secrets(root)
    folder = state(root) / "airflow"
    users = folder / "passwords.json"
    if not users.exists():
        write_private(users, json.dumps({"admin": keys.password}))
    settings = {
        "CORE__DAGS_FOLDER": str(root / "dags"),
        "CORE__PLUGINS_FOLDER": str(root / "plugins"),
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__PARALLELISM": "4",
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "CORE__FERNET_KEY": keys.fernet,
        "CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(users),
        "CORE__EXECUTION_API_SERVER_URL": f"{ports.airflow_url}/execution/",
        "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/airflow.db",
        "API__HOST": LOOPBACK,
        "API__PORT": str(ports.airflow),
        "API__BASE_URL": ports.airflow_url,
        "API__WORKERS": "1",
        "API__SECRET_KEY": keys.session,
        "API_AUTH__JWT_SECRET": keys.jwt,
        "DAG_PROCESSOR__REFRESH_INTERVAL": "60",
        # Parsing the DAG files every 10 s took a quarter of a core from the training beside it.
        "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60",
        "LOGGING__BASE_LOG_FOLDER": str(folder / "logs"),
        "SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "2",
        # A task whose supervisor was killed is retried after this many seconds instead of five minutes.
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
        "USAGE_DATA_COLLECTION__ENABLED": "False",
    }
    return {
        **common_environment(root, ports),
        **{f"AIRFLOW__{name}": value for name, value in settings.items()},
        "AIRFLOW_HOME": str(folder),
        "PYTHONPATH": str(root / "include"),
    }
