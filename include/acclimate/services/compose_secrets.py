"""Print an .env for docker-compose.yaml with freshly drawn secrets: `make .env`."""

from __future__ import annotations

import argparse
import os

from acclimate.services.settings import draw_secrets
from acclimate.serving.keys import draw


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options."""


def main(arguments: argparse.Namespace) -> int:
    """Print KEY=value lines; the containers run as the user who made the file."""
    drawn = draw_secrets()
    values = {
        "UID": os.getuid(),
        "GID": os.getgid(),
        "POSTGRES_PASSWORD": drawn.password,
        "AIRFLOW_FERNET_KEY": drawn.fernet,
        "AIRFLOW_SECRET_KEY": drawn.session,
        "AIRFLOW_JWT_SECRET": drawn.jwt,
        "ENDPOINT_KEY": draw()[2],
    }
    for name, value in values.items():
        print(f"{name}={value}")
    return 0
