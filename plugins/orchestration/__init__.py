"""Airflow for Acclimate: dvc.yaml as tasks, commands under supervision, reports in the UI."""

import os
from pathlib import Path

# Airflow may be started in any folder; unless told otherwise, the checkout is the one this plugin is part of.
os.environ.setdefault("ACCLIMATE_HOME", str(Path(__file__).resolve().parents[2]))
