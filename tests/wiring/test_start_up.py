"""Commands start fast: slow libraries are imported where they are used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from acclimate.pipeline import ACTIONS, STAGES

HEAVY = (
    *("torch", "transformers", "peft", "lm_eval", "gptqmodel", "mlflow", "bentoml", "great_expectations"),
    *("pandas", "scipy", "matplotlib", "dvc", "airflow"),
)


def heavy_after(code: str) -> list[str]:
    """Which slow libraries a fresh interpreter has loaded after running `code`."""
    script = f"import json, sys\n{code}\nprint(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    found: list[str] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_the_command_line_loads_nothing_slow() -> None:
    assert heavy_after("import acclimate.cli; acclimate.cli.parser(None)") == []


def test_reading_the_graph_loads_nothing_slow() -> None:
    plugins = Path(__file__).parents[2] / "plugins"
    assert heavy_after(f"sys.path.append({str(plugins)!r}); from orchestration.graph import read_graph") == []


def test_importing_a_stage_or_an_action_loads_nothing_slow() -> None:
    modules = {stage.module for stage in STAGES.values()} | {action.module for action in ACTIONS.values()}
    script = f"""
import importlib, json, sys
loaded = {{}}
for module in {sorted(modules)!r}:
    importlib.import_module(module)
    loaded[module] = [name for name in {HEAVY!r} if sys.modules.pop(name, None)]
print(json.dumps({{module: names for module, names in loaded.items() if names}}))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == {}


def test_help_takes_two_seconds_at_most() -> None:
    command = [str(Path(sys.executable).with_name("acclimate")), "--help"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    seconds = []
    for _ in range(2):  # the first writes bytecode
        before = os.times()
        subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
        after = os.times()
        # CPU time: what it takes on an idle machine, whatever else this one is doing.
        seconds.append(after.children_user + after.children_system - before.children_user - before.children_system)
    assert min(seconds) <= 2
