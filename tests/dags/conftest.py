"""Tests of dags/ and plugins/, run by the orchestrator's environment:

.venv-airflow/bin/python -m pytest tests/dags
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]

# The other environment has no Airflow and collects nothing here.
collect_ignore_glob = [] if importlib.util.find_spec("airflow") else ["test_*.py"]

# Airflow reads these when it is imported, and makes AIRFLOW_HOME; it must not be the user's.
sys.path[:0] = [str(CHECKOUT / "include"), str(CHECKOUT / "plugins")]
os.environ |= {
    "AIRFLOW_HOME": tempfile.mkdtemp(prefix="acclimate-airflow-"),
    "AIRFLOW__CORE__DAGS_FOLDER": str(CHECKOUT / "dags"),
    "AIRFLOW__CORE__PLUGINS_FOLDER": str(CHECKOUT / "plugins"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
}


def pytest_unconfigure() -> None:
    """Leave no Airflow home behind."""
    shutil.rmtree(os.environ["AIRFLOW_HOME"], ignore_errors=True)


DVC_YAML = """
stages:
  greet:
    desc: Write a report
    cmd: bash greet.sh
    deps: [greet.sh]
    params: [training]
    outs: [reports/greet.json]
    meta: {dag: adapt_data, pool: light, retries: 1, timeout: 5}
  crash:
    desc: Fail as a broken stage does
    cmd: "echo some work; echo 'ValueError: seven is not prime' >&2; exit 1"
    meta: {dag: adapt_data, pool: light, retries: 1, timeout: 5}
  dedup:
    desc: Fail as a stage does whose input is missing
    cmd: acclimate dedup
    meta: {dag: adapt_data, pool: light, retries: 1, timeout: 5}
  slow:
    desc: Wait until a file appears
    cmd: bash slow.sh
    deps: [slow.sh]
    outs: [reports/slow.json]
    meta: {dag: adapt_model, pool: training, retries: 1, timeout: 5}
"""
GREET = """mkdir -p reports; echo '{"headline": "hello"}' > reports/greet.json; echo greeted"""
SLOW = """echo $$ >> "$ACCLIMATE_HOME/pids"
while [ ! -e "$ACCLIMATE_HOME/go" ]; do sleep 0.1; done
mkdir -p reports; echo '{"headline": "slow and steady"}' > reports/slow.json"""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small checkout with stages of shell commands, the real params.yaml and the real dvc and acclimate."""
    root = tmp_path / "checkout"
    (root / ".dvc").mkdir(parents=True)
    (root / "inputs").mkdir()
    (root / ".dvc/config").write_text("[core]\n    analytics = false\n    check_update = false\n")
    (root / ".dvc/.gitignore").write_text("/config.local\n/tmp\n/cache\n")
    (root / ".gitignore").write_text("/.acclimate/\n/reports/\n/pids\n/go\n")
    (root / "dvc.yaml").write_text(DVC_YAML)
    (root / "greet.sh").write_text(GREET)
    (root / "slow.sh").write_text(SLOW)
    shutil.copy2(CHECKOUT / "params.yaml", root / "params.yaml")
    identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    for arguments in (["init", "--quiet"], ["add", "--all"], [*identity, "commit", "--quiet", "--message", "first"]):
        subprocess.run(["git", *arguments], cwd=root, check=True)
    monkeypatch.setenv("ACCLIMATE_HOME", str(root))
    monkeypatch.setenv("ACCLIMATE_BIN", os.environ.get("ACCLIMATE_BIN", str(CHECKOUT / ".venv/bin")))
    return root
