"""What `acclimate plan` says against what training then takes, on the embedded default and around it.

    python bench/plan.py [--artifacts artifacts]

reads the base and the training set of a finished run. Every case trains for STEPS steps in a process of its own
(bench/plan_once.py), on real texts; planned and measured are set side by side: peak memory, and seconds.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from results_file import Goal, Outcome, at_most, write

from acclimate.core.params import load, with_changes
from acclimate.model.plan.jobs import BYTES_PER_TOKEN

ROOT = Path(__file__).parents[1]
PARAMS = ROOT / "params.yaml"
STEPS = 6
DEFAULT_TOKENS = {
    stage: section.steps * section.batch_sequences * section.sequence_tokens
    for params in [load(PARAMS)]
    for stage, section in (("train_domain", params.train_domain), ("train_task", params.train_task))
}
ALLOWED = 0.15
"""Share by which a planned peak may differ from the measured one."""
CASES: dict[str, dict[str, Any]] = {
    "train_domain": {"stage": "train_domain"},
    "train_task": {"stage": "train_task"},
    "4 sequences at once": {"stage": "train_domain", "training.rows_at_once": 4},
    "checkpoints": {"stage": "train_domain", "training.gradient_checkpointing": True},
    "DoRA": {"stage": "train_domain", "training.strategy": "dora"},
}


@dataclass(frozen=True)
class Compared:
    """One case, planned and measured."""

    case: str
    alive_mb: float
    """Planned, without what the allocator holds."""
    planned_mb: float
    measured_mb: float
    apart: float
    """Planned over measured, minus 1."""
    planned_s: float
    measured_s: float
    """Loading the base and writing the adapter included."""


def main() -> int:
    """Measure every case, plan it, and write both down."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--artifacts", type=Path, default=Path("artifacts"))
    artifacts: Path = arguments.parse_args().artifacts
    command = [sys.executable, str(ROOT / "bench/plan_once.py"), str(PARAMS), str(artifacts), str(STEPS)]
    done = subprocess.run([*command, json.dumps([*CASES.values()])], stdout=subprocess.PIPE, text=True, check=True)
    measured = json.loads(done.stdout.splitlines()[-1])
    rows = [compared(name, case, found) for (name, case), found in zip(CASES.items(), measured, strict=True)]
    versions = {package: importlib.metadata.version(package) for package in ("torch", "transformers", "peft")}
    said = f"the embedded base, 4 layers of 256, {STEPS} steps of 8 × 256 tokens"
    write("plan", Outcome({"said": said, "cases": CASES}, versions, rows, goals(rows)))
    return 0


def compared(name: str, case: dict[str, Any], found: dict[str, float]) -> Compared:
    """A case as it is planned, beside what it took."""
    planned, peak = planned_stage(case), found["peak"]
    # The texts are those of the whole training set however few steps are taken.
    texts = BYTES_PER_TOKEN * DEFAULT_TOKENS[case["stage"]] - planned["memory"]["texts as tokens"]
    expected = planned["peak"] + texts
    return Compared(
        case=name,
        alive_mb=round((expected - planned["memory"]["held by the allocator"]) / 1e6, 1),
        planned_mb=round(expected / 1e6, 1),
        measured_mb=round(peak / 1e6, 1),
        apart=round(expected / peak - 1, 3),
        planned_s=planned["seconds"],
        measured_s=found["seconds"],
    )


def planned_stage(case: dict[str, Any]) -> dict[str, Any]:
    """What `acclimate plan` says of the case's stage."""
    dials = {name: value for name, value in case.items() if name != "stage"}
    with tempfile.TemporaryDirectory() as scratch:
        text = with_changes(PARAMS.read_text(encoding="utf-8"), {**dials, f"{case['stage']}.steps": STEPS})
        (Path(scratch) / "params.yaml").write_text(text, encoding="utf-8")
        command = [sys.executable, "-m", "acclimate.cli", "plan", "--json"]
        done = subprocess.run(command, cwd=scratch, stdout=subprocess.PIPE, text=True, check=True)
    stages: list[dict[str, Any]] = json.loads(done.stdout)["stages"]
    return next(stage for stage in stages if stage["stage"] == case["stage"])


def goals(rows: list[Compared]) -> list[Goal]:
    """How far the plan may be off."""
    by_name = {row.case: row for row in rows}
    default = [abs(by_name[stage].apart) for stage in ("train_domain", "train_task")]
    return [
        at_most("planned peak of the default stages off by", ALLOWED, max(default)),
        at_most("planned peak of any case off by", ALLOWED, max(abs(row.apart) for row in rows)),
    ]


if __name__ == "__main__":
    sys.exit(main())
