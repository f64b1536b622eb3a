"""What the DAGs pass each other, how a task learns its run, and where commands are."""

from __future__ import annotations

import os
from pathlib import Path

from airflow.sdk import Asset

from acclimate.core.home import home

DATASET = Asset("dataset")
"""A new training set; the event's extra carries {"run": key}."""

CHALLENGER = Asset("challenger")
"""A registered model that passed the gate; the event's extra carries {"run": key}."""

OPEN_RUN = "open_run"
"""The task of every DAG that opens its run or takes one up; its result is the key that the others work with."""

RUN_KEY = f"{{{{ ti.xcom_pull(task_ids='{OPEN_RUN}') }}}}"


def commands() -> Path:
    """The folder of dvc and acclimate: they are in the other environment, Airflow's own has neither."""
    return Path(os.environ.get("ACCLIMATE_BIN") or home() / ".venv/bin")
