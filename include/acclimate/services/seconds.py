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
    orchestration: float


@dataclass(frozen=True)
class RunSeconds:
    """Where the wall-clock seconds of a whole run went; starting the services is part of `wall`."""

    wall: float
    services: float
    tasks: list[TaskSeconds]

    @property
    def orchestration(self) -> float:
        """Seconds of the wall clock in which no task's own process was starting or working."""
        return max(0.0, self.wall - sum(task.start_up + task.work for task in self.tasks))

    def table(self) -> str:
        """A line per task that took any time, and totals."""
        lines = [f"{'seconds':<20} {'start-up':>9} {'work':>9} {'orchestration':>14}"]
        lines += [_row(task.task, task.start_up, task.work, task.orchestration) for task in self.tasks]
        between = self.orchestration - self.services - sum(task.orchestration for task in self.tasks)
        lines.append(f"{'starting services':<40} {self.services:14.1f}")
        lines.append(f"{'between tasks':<40} {between:14.1f}")
        start_up, work = sum(task.start_up for task in self.tasks), sum(task.work for task in self.tasks)
        lines.append(_row(f"total {self.wall:.0f} s", start_up, work, self.orchestration))
        lines.append(f"orchestration is {self.orchestration / self.wall:.0%} of the whole")
        return "\n".join(lines)


def run_seconds(finished: list[FinishedTask], run_folder: Path, *, wall: float, services: float) -> RunSeconds:
    """The seconds of a followed run, tasks in the order in which they began.

    Args:
        finished: every task that came to an end; skipped ones took no time and are left out.
        run_folder: the run's worktree, where every task left its timing.
        wall: seconds from the start of the command to the end of the last task.
        services: seconds of `wall` before the first task, spent on starting services.
    """
    ran = sorted((task for task in finished if task.state != "skipped"), key=lambda task: task.started)
    return RunSeconds(wall, services, [task_seconds(task, run_folder) for task in ran])


def task_seconds(task: FinishedTask, run_folder: Path) -> TaskSeconds:
    """Split a task's duration; a task answered from the cache has no start-up and no work of its own."""
    path = run_folder / "timings" / f"{task.task}.json"
    if not path.exists() or path.stat().st_mtime < task.started:
        return TaskSeconds(task.task, 0.0, 0.0, task.seconds)
    timing = read_json(path)
    rest = max(0.0, task.seconds - timing["start_up_s"] - timing["work_s"])
    return TaskSeconds(task.task, timing["start_up_s"], timing["work_s"], rest)


def _row(name: str, start_up: float, work: float, orchestration: float) -> str:
    return f"{name:<20} {start_up:9.1f} {work:9.1f} {orchestration:14.1f}"
