"""A step of a canary as a task that holds no worker while it waits, and is red when the canary is rolled back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowFailException, TaskDeferralTimeout
from airflow.triggers.base import BaseTrigger, TriggerEvent

from acclimate.core.files import write_json
from acclimate.core.home import home
from acclimate.core.params import load
from acclimate.core.reports import read_report, report_path
from acclimate.core.runs import run_path
from acclimate.core.yaml_text import parse_yaml
from acclimate.release.client import canary, endpoint_url
from orchestration.faults import told
from orchestration.operators import ActionOperator
from orchestration.place import RUN_KEY

POLL_SECONDS = 5.0
"""Between two looks at the endpoint: it decides by itself and at once, the task only has to notice."""


def canary_tasks(promote: BaseOperator) -> list[BaseOperator]:
    """What comes before the promotion, in this order: none unless params.yaml asks for a canary.

    If one of them fails, or the promotion, the canary is stopped, and the run's report says where it stood.
    """
    params = load(home() / "params.yaml").canary
    if not params.enabled:
        return []
    start = ActionOperator(task_id="canary", action="canary", arguments=["start"])
    count = len(params.shares)
    steps = [
        CanaryStepOperator(task_id=f"canary_step_{step + 1}", step=step, last=step + 1 == count)
        for step in range(count)
    ]
    arguments = ["stop", "--own", "--reason", "its DAG run failed"]
    stop = ActionOperator(task_id="canary_stop", action="canary", arguments=arguments, trigger_rule="one_failed")
    report = ActionOperator(task_id="canary_report", action="report")
    [start, *steps, promote] >> stop >> report
    return [start, *steps]


class CanaryStepOperator(BaseOperator):
    """Waits until the run's canary has taken this step; the last waits until it is over.

    Where the run has no canary (none wanted, or no champion yet) it goes on at once. A canary that was rolled back or
    stopped, or that has not decided in time, fails the task.
    """

    template_fields: Sequence[str] = ("run_key",)
    ui_color = "#c8a2c8"

    def __init__(self, *, step: int, last: bool, run_key: str = RUN_KEY, **settings: Any) -> None:
        """`step` counts from 0; `last`: no task waits for a later one."""
        # It may take days. A verdict and a time that is over fail it for good; a worker that was killed does not.
        super().__init__(execution_timeout=None, **settings)
        self.step = step
        self.last = last
        self.run_key = run_key

    def execute(self, context: Context) -> dict[str, Any]:
        """Wait, or return at once."""
        worktree = told(run_path)(home(), self.run_key)
        begun = read_report("canary", worktree)
        now = None if begun["key"] is None else canary(endpoint_url())
        if now is not None and is_over(now, begun["key"], self.step, last=self.last):
            return self.finish(context, now)
        if begun["key"] is not None:
            self.defer(
                trigger=CanaryTrigger(endpoint_url(), begun["key"], self.step, last=self.last),
                method_name="finish",
                timeout=timedelta(hours=_dials(worktree)["step_hours"]),
            )
        self.log.info("%s", begun["headline"])
        return {"headline": begun["headline"]}

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after the wait. A step whose time is over counts if it was decided while nobody watched."""
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except TaskDeferralTimeout:
            return self._late(context)

    def finish(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Keep what the canary says of itself with the run, and fail if that is not what was hoped for."""
        worktree = told(run_path)(home(), self.run_key)
        if event["key"] != read_report("canary", worktree)["key"]:
            raise AirflowFailException(f"another canary has taken this one's place: {event['headline']}")
        write_json(report_path("canary", worktree), event)
        if event["status"] not in ("running", "passed"):
            raise AirflowFailException(event["headline"])
        return {"headline": event["headline"]}

    def _late(self, context: Context) -> dict[str, Any]:
        worktree, url = told(run_path)(home(), self.run_key), endpoint_url()
        now = canary(url)
        if now is not None and is_over(now, read_report("canary", worktree)["key"], self.step, last=self.last):
            return self.finish(context, now)
        stands = f"{url} says nothing of it" if now is None else f"{now['headline']} ({now['requests']:,} requests)"
        hours = _dials(worktree)["step_hours"]
        raise AirflowFailException(
            f"step {self.step + 1} was not decided within {hours:g} h (canary.step_hours in params.yaml): {stands}"
        )


class CanaryTrigger(BaseTrigger):
    """Fires with what the endpoint says of a canary, once a step of it is over."""

    def __init__(self, url: str, key: str, step: int, *, last: bool) -> None:
        super().__init__()
        self.url = url
        self.key = key
        self.step = step
        self.last = last

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """How the triggerer makes it anew."""
        kept = {"url": self.url, "key": self.key, "step": self.step, "last": self.last}
        return f"{type(self).__module__}.{type(self).__qualname__}", kept

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Ask until there is something to tell; an endpoint that does not answer is restarted by who runs it.

        Not at once: a scheduler that has not taken in yet that the task waits would take its going on for a failure
        (apache/airflow#66374 and #72716).
        """
        heard = ""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            now = await asyncio.to_thread(canary, self.url)
            if now is not None and is_over(now, self.key, self.step, last=self.last):
                yield TriggerEvent(now)
                return
            said = f"{self.url} says nothing of a canary" if now is None else str(now["headline"])
            if said != heard:  # in the task's log: what is waited for
                self.log.info("%s", said)
                heard = said


def is_over(now: dict[str, Any], key: str, step: int, *, last: bool) -> bool:
    """Whether step `step` of canary `key` has ended, by what the endpoint says now.

    The last one ends with the canary. Another canary in its place is an end too.
    """
    over = now["key"] != key or now["status"] in ("passed", "rolled_back", "withdrawn")
    return over or (not last and now["step"] > step)


def _dials(worktree: Path) -> dict[str, Any]:
    """The run's section `canary` of params.yaml."""
    dials: dict[str, Any] = parse_yaml((worktree / "params.yaml").read_text(encoding="utf-8"))["canary"]
    return dials
