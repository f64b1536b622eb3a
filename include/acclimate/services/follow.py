"""Follow a pipeline through its DAGs by Airflow's REST API and say what each task found.

41 s  adapt_data     dedup           4 s  23,904 in, 21,118 out (near-duplicate 2,786)
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from acclimate.core.dag_runs import run_of
from acclimate.core.errors import UserError
from acclimate.core.reports import read_report, report_path
from acclimate.services.airflow_api import AirflowApi, quote

POLL_SECONDS = 1.0
QUIET_SECONDS = 20.0
"""After so long without news, say what is running."""

NEXT_DAG_SECONDS = 60.0
"""How long the next DAG may take to be started by its asset; measured: under a second."""

DONE = ("success", "failed", "skipped", "upstream_failed", "removed")


@dataclass(frozen=True)
class FinishedTask:
    """One task instance that came to an end."""

    dag: str
    task: str
    state: str
    seconds: float
    started: float
    """Unix time at which its last try began; 0 for a task that was skipped."""


@dataclass
class Follower:
    """Follows one logical run; `finished` fills as tasks end."""

    api: AirflowApi
    root: Path
    run_folder: Path
    say: Callable[[str], None]
    begun: float = field(default_factory=time.monotonic)
    finished: dict[tuple[str, str], FinishedTask] = field(default_factory=dict)
    _news: float = field(default_factory=time.monotonic)

    def follow(self, dag: str, run_id: str) -> None:
        """Print every task of a DAG run as it ends; return when the DAG run has succeeded.

        Raises:
            UserError: if a task failed, with the end of its log and where the log is.
        """
        while True:
            state = self.api.run(dag, run_id)["state"]
            for instance in sorted(self.api.tasks(dag, run_id), key=lambda task: task["end_date"] or ""):
                self._note(dag, instance)
            if state == "success":
                return
            if state == "failed":
                self._raise_failure(dag, run_id)
            self._say_if_quiet(dag, run_id)
            time.sleep(POLL_SECONDS)

    def next_run(self, dag: str, key: str) -> str:
        """The run of `dag` that an asset of this logical run started; waits for its turn behind others.

        Raises:
            UserError: if none was started.
        """
        deadline = time.monotonic() + NEXT_DAG_SECONDS
        while time.monotonic() < deadline:
            dag_runs = self.api.get(f"dags/{dag}/dagRuns", limit=20, order_by="-run_after")["dag_runs"]
            for run in dag_runs:
                # Airflow 3.3.2 answers 500 to …/upstreamAssetEvents until the run has started, hence our own note.
                if run_of(self.root, dag, run["dag_run_id"]) == key:
                    return str(run["dag_run_id"])
            if any(run["state"] in ("queued", "running") for run in dag_runs):
                deadline = time.monotonic() + NEXT_DAG_SECONDS
            time.sleep(POLL_SECONDS)
        raise UserError(
            f"{dag} was not started within {NEXT_DAG_SECONDS:.0f} s of its asset",
            why="the loop stops here",
            fix=f"look at {self.api.url}/dags/{dag}: is it paused?",
        )

    def skipped(self, dag: str, task: str) -> bool:
        """Whether a followed task was skipped: a gate or a short circuit said no."""
        return self.finished[dag, task].state == "skipped"

    def _note(self, dag: str, instance: dict[str, Any]) -> None:
        task = instance["task_id"]
        if instance["state"] not in DONE or (dag, task) in self.finished:
            return
        seconds = instance["duration"] or 0.0
        started = datetime.fromisoformat(instance["start_date"]).timestamp() if instance["start_date"] else 0.0
        self.finished[dag, task] = FinishedTask(dag, task, instance["state"], seconds, started)
        self._news = time.monotonic()
        found = instance["state"] if instance["state"] != "success" else self._headline(task, started)
        self.say(f"{self._clock()}  {dag:<13}  {task:<19} {seconds:4.0f} s  {found}")

    def _headline(self, task: str, started: float) -> str:
        path = report_path(task, self.run_folder)
        if not path.exists() or "headline" not in (report := read_report(task, self.run_folder)):
            return "done"
        timing = self.run_folder / "timings" / f"{task}.json"
        ran = timing.exists() and timing.stat().st_mtime >= started
        return str(report["headline"]) + ("" if ran else "  [unchanged, from the cache]")

    def _say_if_quiet(self, dag: str, run_id: str) -> None:
        if time.monotonic() - self._news < QUIET_SECONDS:
            return
        running = [_so_far(task) for task in self.api.tasks(dag, run_id) if task["state"] == "running"]
        self.say(f"{self._clock()}  {dag:<13}  running: {', '.join(running) or 'nothing, waiting for a slot'}")
        self._news = time.monotonic()

    def _raise_failure(self, dag: str, run_id: str) -> None:
        failed = [task for task in self.api.tasks(dag, run_id) if task["state"] == "failed"]
        assert failed, f"{dag} failed without a failed task"
        task, tries = failed[0]["task_id"], failed[0]["try_number"]
        raise UserError(
            f"{dag}.{task} failed:\n{self._error_lines(dag, run_id, task, tries)}",
            why="nothing after it has run; what was served before is served still",
            fix=f"the whole log: {self._log_page(dag, run_id, task)}",
        )

    def _log_page(self, dag: str, run_id: str, task: str) -> str:
        return f"{self.api.url}/dags/{dag}/runs/{quote(run_id)}/tasks/{task}"

    def _error_lines(self, dag: str, run_id: str, task: str, tries: int) -> str:
        path = f"dags/{dag}/dagRuns/{quote(run_id)}/taskInstances/{task}/logs/{tries}"
        entries = self.api.get(path, full_content="true")["content"]
        events = [str(entry.get("event", "")) for entry in entries if isinstance(entry, dict)]
        return "\n".join(f"    {line}" for line in events[-25:] if line and not line.startswith("::"))

    def _clock(self) -> str:
        return f"{time.monotonic() - self.begun:5.0f} s"


def _so_far(instance: dict[str, Any]) -> str:
    """'base, 41 s': a running task and how long it has been at it."""
    seconds = datetime.now(UTC) - datetime.fromisoformat(instance["start_date"])
    return f"{instance['task_id']}, {seconds.total_seconds():.0f} s"
