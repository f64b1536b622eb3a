"""Where the seconds of a run went: start-up, work and orchestration of every task.

Start-up is what a process spends on imports before its work; orchestration is everything in the
wall-clock time that no task's own process accounts for: scheduling, DVC's bookkeeping, polling.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from acclimate.core.files import read_json
from acclimate.services.follow import FinishedTask


@dataclass(frozen=True)
class TaskSeconds:
    """One row of the table, in seconds."""

    task: str
    start_up: float
    work: float
    overhead: float


def task_seconds(task: FinishedTask, run_folder: Path) -> TaskSeconds:
    """Split a task's duration; a task answered from the cache has no start-up and no work of its own."""
    path = run_folder / "timings" / f"{task.task}.json"
    if not path.exists() or path.stat().st_mtime < task.started:
        return TaskSeconds(task.task, 0.0, 0.0, task.seconds)
    timing = read_json(path)
    overhead = max(0.0, task.seconds - timing["start_up_s"] - timing["work_s"])
    return TaskSeconds(task.task, timing["start_up_s"], timing["work_s"], overhead)


def table(rows: list[TaskSeconds], *, wall: float, services: float) -> str:
    """The rows with totals; `wall` and `services` in seconds, services being part of the wall."""
    start_up, work = sum(row.start_up for row in rows), sum(row.work for row in rows)
    orchestration = max(0.0, wall - start_up - work)
    lines = [f"{'seconds':<20} {'start-up':>9} {'work':>9} {'orchestration':>14}"]
    for row in rows:
        lines.append(f"{row.task:<20} {row.start_up:9.1f} {row.work:9.1f} {row.overhead:14.1f}")
    between = orchestration - services - sum(row.overhead for row in rows)
    lines.append(f"{'starting services':<20} {'':9} {'':9} {services:14.1f}")
    lines.append(f"{'between tasks':<20} {'':9} {'':9} {between:14.1f}")
    lines.append(f"{'total ' + format(wall, '.0f') + ' s':<20} {start_up:9.1f} {work:9.1f} {orchestration:14.1f}")
    lines.append(f"orchestration is {orchestration / wall:.0%} of the whole")
    return "\n".join(lines)
