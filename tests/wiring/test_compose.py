"""docker-compose.yaml says the same as the embedded services; no engine is needed to see that."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from acclimate.services import compose_secrets
from acclimate.services.up import POOLS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(TEXT)["services"]
    return found


def test_nothing_is_published_beyond_loopback(services: dict[str, Any]) -> None:
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert len(published) == 3
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_every_secret_comes_from_env_and_make_env_draws_it(capsys: pytest.CaptureFixture[str]) -> None:
    required = set(re.findall(r"\$\{(\w+):\?", TEXT))

    assert compose_secrets.main(argparse.Namespace()) == 0
    drawn = dict(line.split("=", 1) for line in capsys.readouterr().out.splitlines())
    assert required == set(drawn) - {"UID", "GID"}
    assert all(len(drawn[name]) >= 16 for name in required)


def test_secrets_differ_every_time(capsys: pytest.CaptureFixture[str]) -> None:

    outputs = []
    for _ in range(2):
        compose_secrets.main(argparse.Namespace())
        outputs.append(capsys.readouterr().out)
    assert outputs[0] != outputs[1]


def test_pools_are_those_of_the_embedded_airflow(services: dict[str, Any]) -> None:
    script = services["airflow-init"]["command"][-1]
    assert {name: int(slots) for name, slots in re.findall(r"pools set (\w+) (\d+)", script)} == POOLS


def test_the_services_are_those_that_up_starts(services: dict[str, Any]) -> None:
    embedded = {"mlflow", "endpoint", "airflow-api-server", "airflow-scheduler", "airflow-dag-processor"}
    assert set(services) == embedded | {"airflow-triggerer", "airflow-init", "postgres"}


def test_the_tracking_server_has_the_version_of_its_clients() -> None:
    image = re.search(r"MLFLOW_VERSION=(\S+)", (ROOT / "mlflow/Dockerfile").read_text(encoding="utf-8"))
    lock = re.search(r"^mlflow==(\S+)", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)
    assert image is not None
    assert lock is not None
    assert image[1] == lock[1]
