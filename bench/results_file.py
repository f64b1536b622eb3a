"""What a benchmark claims, in one shape: bench/results/<name>.json, a Markdown table beside it, a line per goal.

outcome = Outcome(input=…, versions=…, rows=[Row("acclimate", cpu_s=3.1, …)], goals=[at_least(…), at_most(…)])
write("dedup", outcome)

measured(command)       # a process's CPU seconds, its children's included, and its peak memory
"""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Row:
    """One engine on the input; what it was not asked or could not do is None."""

    engine: str
    cpu_s: float | None = None
    """User and system time of the whole process and its children: imports and reading included."""
    wall_s: float | None = None
    mb_per_s: float | None = None
    """Megabytes (10⁶ bytes of UTF-8 text) per CPU second."""
    precision: float | None = None
    recall: float | None = None
    peak_rss_mb: float | None = None
    skipped: str | None = None
    """Why there are no numbers."""


@dataclass(frozen=True)
class Goal:
    """A number that was wanted, and what it is; None where it could not be measured."""

    name: str
    wanted: str
    measured: float | None
    met: bool | None

    def line(self) -> str:
        """'met     recall: 0.99997 (wanted ≥ 0.9999)'."""
        verdict = {True: "met", False: "MISSED", None: "unknown"}[self.met]
        value = "not measured" if self.measured is None else f"{self.measured:,.6g}"
        return f"{verdict:8}{self.name}: {value} (wanted {self.wanted})"


@dataclass(frozen=True)
class Outcome:
    """Everything one run of a benchmark found."""

    input: dict[str, Any]
    versions: dict[str, str]
    rows: Sequence[Any]
    """Of one dataclass: Row, or one whose first field names what was measured."""
    goals: Sequence[Goal]
    more: dict[str, Any] = field(default_factory=dict)
    """Curves and remarks that are no row."""


def at_least(name: str, wanted: float, measured: float | None) -> Goal:
    """A goal that more is better for."""
    return Goal(name, f"≥ {wanted:g}", measured, None if measured is None else measured >= wanted)


def at_most(name: str, wanted: float, measured: float | None) -> Goal:
    """A goal that less is better for."""
    return Goal(name, f"≤ {wanted:g}", measured, None if measured is None else measured <= wanted)


@dataclass(frozen=True)
class Usage:
    """What a finished process took."""

    cpu_s: float
    wall_s: float
    peak_rss_mb: float
    output: str


def measured(command: Sequence[str], environment: dict[str, str] | None = None) -> Usage:
    """Run a command to its end and say what it and the children it waited for took.

    Raises:
        subprocess.CalledProcessError: if it fails; what it said on stderr is in the exception.
    """
    begun = time.perf_counter()
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, **(environment or {})}
    )
    assert child.stdout is not None
    output = child.stdout.read()
    child.stdout.close()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise subprocess.CalledProcessError(child.returncode, command, output=output[-4000:])
    wall = time.perf_counter() - begun
    return Usage(
        round(usage.ru_utime + usage.ru_stime, 3), round(wall, 3), round(usage.ru_maxrss * 1024 / 1e6, 1), output
    )


def machine() -> dict[str, Any]:
    """What the numbers were measured on, and how busy it was."""
    model = [
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        if line.startswith("model name")
    ]
    return {
        "cores": os.cpu_count(),
        "processor": model[0] if model else platform.machine(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "python": platform.python_version(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
    }


def write(name: str, outcome: Outcome) -> None:
    """Write <name>.json and <name>.md, and print a line per goal."""
    RESULTS.mkdir(exist_ok=True)
    result = {
        "command": shlex.join(["python", f"bench/{name}.py", *sys.argv[1:]]),
        "machine": machine(),
        **asdict(outcome),
    }
    (RESULTS / f"{name}.json").write_text(
        json.dumps(result, indent=2, ensure_ascii=False, default=str) + "\n", encoding="utf-8"
    )
    (RESULTS / f"{name}.md").write_text(_markdown(name, outcome), encoding="utf-8")
    for goal in outcome.goals:
        print(goal.line(), flush=True)


def _markdown(name: str, outcome: Outcome) -> str:
    columns = [column.name for column in fields(outcome.rows[0]) if column.name != "skipped"]
    lines = [f"# {name}", "", f"Input: {outcome.input.get('said', '')}", ""]
    lines += ["| " + " | ".join(columns) + " |", "|---|" + "---:|" * (len(columns) - 1)]
    for row in outcome.rows:
        cells = asdict(row)
        shown = [_cell(cells[column]) for column in columns]
        if cells.get("skipped"):
            shown = [shown[0], f"skipped: {cells['skipped']}", *[""] * (len(columns) - 2)]
        lines.append("| " + " | ".join(shown) + " |")
    lines += ["", "| goal | wanted | measured | met |", "|---|---:|---:|---|"]
    verdicts = {True: "yes", False: "no", None: "not measured"}
    lines += [
        f"| {goal.name} | {goal.wanted} | {_cell(goal.measured)} | {verdicts[goal.met]} |" for goal in outcome.goals
    ]
    return "\n".join(lines) + "\n"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):  # an interval
        return "–".join(map(_cell, value))
    return f"{value:,.6g}" if isinstance(value, float) else str(value)
