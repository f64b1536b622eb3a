"""The two kinds of work a task does: a stage of dvc.yaml, or an action of `acclimate`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from airflow.sdk import BaseOperator, Context

from acclimate.core.home import home
from acclimate.core.mending import mend
from acclimate.core.reports import read_report, report_path
from acclimate.core.runs import in_use
from orchestration.commands import Command
from orchestration.faults import told
from orchestration.place import RUN_KEY, commands


class DvcStageOperator(BaseOperator):
    """Runs one stage of dvc.yaml in the run's worktree: `dvc repro --single-item <stage>`.

    Its result says what the stage found and whether it ran or came from the cache.
    """

    template_fields: Sequence[str] = ("run_key",)
    ui_color = "#945dd6"
    ui_fgcolor = "#ffffff"

    def __init__(self, *, stage: str, run_key: str = RUN_KEY, **settings: Any) -> None:
        super().__init__(**settings)
        self.stage = stage
        self.run_key = run_key
        self._command: Command | None = None

    @told
    def execute(self, context: Context) -> dict[str, Any]:
        """Run the stage."""
        with in_use(home(), self.run_key) as worktree:
            for sentence in mend(worktree):
                self.log.warning(sentence)
            # Another stage of this run may hold DVC's lock for the second that it takes to record its result.
            arguments = [str(commands() / "dvc"), "--wait-for-lock", "repro", "--single-item", self.stage]
            self._command = Command(self.stage, arguments, worktree)
            self._command.run(self.log.info)
            mend(worktree)
            headline = read_report(self.stage, worktree)["headline"]
        carry_run(context, self, self.run_key)
        outcome = "cached" if self._was_cached(self._command) else "ran"
        return {"headline": headline, "outcome": outcome, "seconds": round(self._command.seconds, 1)}

    def on_kill(self) -> None:
        """End the stage when the task is told to end."""
        if self._command is not None:
            self._command.stop()

    def _was_cached(self, command: Command) -> bool:
        said = (f"Stage '{self.stage}' didn't change, skipping", f"Stage '{self.stage}' is cached - skipping run")
        return any(line.startswith(said) for line in command.lines)


class ActionOperator(BaseOperator):
    """Runs `acclimate <action> …`: a step that changes the outside world, idempotent.

    It runs in the run's worktree; with `run_key` None in the main checkout, before there is a run.
    """

    template_fields: Sequence[str] = ("run_key", "arguments")
    ui_color = "#2b8a8a"
    ui_fgcolor = "#ffffff"

    def __init__(
        self, *, action: str, arguments: Sequence[str] = (), run_key: str | None = RUN_KEY, **settings: Any
    ) -> None:
        super().__init__(**settings)
        self.action = action
        self.arguments = list(arguments)
        self.run_key = run_key
        self._command: Command | None = None

    @told
    def execute(self, context: Context) -> dict[str, Any]:
        """Run the action."""
        with nullcontext(home()) if self.run_key is None else in_use(home(), self.run_key) as folder:
            self._command = Command(self.action, [str(commands() / "acclimate"), self.action, *self.arguments], folder)
            self._command.run(self.log.info)
            reported = report_path(self.action, folder).exists()
            last_line = self._command.lines[-1] if self._command.lines else "done"
            headline = read_report(self.action, folder).get("headline", last_line) if reported else last_line
        if self.run_key is not None:
            carry_run(context, self, self.run_key)
        return {"headline": headline, "outcome": "ran", "seconds": round(self._command.seconds, 1)}

    def on_kill(self) -> None:
        """End the action when the task is told to end."""
        if self._command is not None:
            self._command.stop()


def carry_run(context: Context, task: BaseOperator, key: str) -> None:
    """Put the run's key into the event of each asset that `task` brings about."""
    for asset in task.outlets:
        context["outlet_events"][asset].extra = {"run": key}
