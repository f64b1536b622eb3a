from __future__ import annotations

import asyncio
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG
from airflow.sdk.bases.operator import TRIGGER_FAIL_REPR, TriggerFailureReason
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from acclimate.core.files import read_json, write_json
from acclimate.core.params import with_changes
from acclimate.core.reports import report_path
from acclimate.core.runs import open_run
from orchestration import canary
from orchestration.canary import CanaryStepOperator, CanaryTrigger

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture
def wanted(checkout: Path) -> Path:
    """A checkout whose params.yaml asks for a canary, with the pipeline's own graph."""
    params = checkout / "params.yaml"
    params.write_text(with_changes(params.read_text(encoding="utf-8"), {"canary.enabled": True}), encoding="utf-8")
    shutil.copyfile(CHECKOUT / "dvc.yaml", checkout / "dvc.yaml")
    return checkout


@pytest.fixture
def dag(wanted: Path) -> DAG:
    assert wanted.exists()
    bag = DagBag(str(CHECKOUT / "dags/adapt_release.py"))
    assert bag.import_errors == {}
    loaded: DAG = bag.dags["adapt_release"]
    return loaded


STEPS = [f"canary_step_{number}" for number in (1, 2, 3, 4)]


def test_every_step_comes_after_the_approval_and_before_the_promotion(dag: DAG) -> None:
    order = ["approval", "canary", *STEPS, "promote", "serve", "final_report"]
    for task, then in pairwise(order):
        assert then in dag.get_task(task).downstream_task_ids
    assert [dag.get_task(step).last for step in STEPS] == [False, False, False, True]


def test_whatever_fails_on_the_way_stops_the_canary_and_is_reported(dag: DAG) -> None:
    stop = dag.get_task("canary_stop")
    assert stop.trigger_rule.value == "one_failed"
    assert stop.upstream_task_ids == {"canary", *STEPS, "promote"}
    assert stop.arguments == ["stop", "--own", "--reason", "its DAG run failed"]
    assert stop.downstream_task_ids == {"canary_report"}


def test_a_step_outlives_a_killed_worker_and_the_time_limit_of_tasks(dag: DAG) -> None:
    for step in STEPS:
        assert (dag.get_task(step).retries, dag.get_task(step).execution_timeout) == (2, None)


def step(checkout: Path, key: str | None, *, number: int = 0, last: bool = False) -> CanaryStepOperator:
    worktree = open_run(checkout, "a", {"canary.step_hours": 1.5})
    write_json(report_path("canary", worktree), {"headline": "nothing to compare it with", "key": key})
    return CanaryStepOperator(task_id=STEPS[number], step=number, last=last, run_key="a")


def test_where_there_is_no_canary_a_step_goes_on_at_once(checkout: Path) -> None:
    assert step(checkout, None).execute({}) == {"headline": "nothing to compare it with"}


def test_a_step_gives_its_worker_back_while_it_waits(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with endpoint(lambda: told("running", at=1)) as url:
        monkeypatch.setenv("ACCLIMATE_ENDPOINT_URL", url)
        with pytest.raises(TaskDeferred) as deferred:
            step(checkout, "v4-00ff", number=1).execute({})
    assert (deferred.value.method_name, deferred.value.timeout) == ("finish", timedelta(hours=1.5))
    path, kept = deferred.value.trigger.serialize()
    assert path == "orchestration.canary.CanaryTrigger"
    assert kept == {"url": url, "key": "v4-00ff", "step": 1, "last": False}


def test_a_step_that_is_over_already_is_not_waited_for(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with endpoint(lambda: told("running", at=2)) as url:
        monkeypatch.setenv("ACCLIMATE_ENDPOINT_URL", url)
        assert step(checkout, "v4-00ff", number=1).execute({}) == {"headline": "canary of m 4 against 3: running"}


def told(status: str, *, at: int = 0, key: str = "v4-00ff") -> dict[str, Any]:
    return {"key": key, "status": status, "step": at, "headline": f"canary of m 4 against 3: {status}"}


def test_a_step_that_was_taken_is_reported(checkout: Path) -> None:
    operator = step(checkout, "v4-00ff")
    assert operator.finish({}, told("running", at=1)) == {"headline": "canary of m 4 against 3: running"}
    assert read_json(report_path("canary", checkout / ".acclimate/runs/a"))["step"] == 1


@pytest.mark.parametrize("status", ["rolled_back", "withdrawn"])
def test_a_canary_that_went_back_fails_the_run_with_the_reason(checkout: Path, status: str) -> None:
    operator = step(checkout, "v4-00ff")
    with pytest.raises(AirflowFailException, match=f"canary of m 4 against 3: {status}"):
        operator.finish({}, told(status))
    assert read_json(report_path("canary", checkout / ".acclimate/runs/a"))["status"] == status


def test_another_canary_in_its_place_is_not_taken_for_its_own(checkout: Path) -> None:
    with pytest.raises(AirflowFailException, match="another canary has taken this one's place"):
        step(checkout, "v4-00ff").finish({}, told("passed", key="v5-00ff"))


@contextmanager
def endpoint(say: Callable[[], dict[str, Any] | None]) -> Iterator[str]:
    """Something that answers as the endpoint does; None: 404, as where there is no canary; {}: it dies half-way."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            now = say()
            self.send_response(404 if now is None else 200)
            if now == {}:
                self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(json.dumps(now).encode())

        def log_message(self, *_: Any) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("last", "end"),
    [
        (False, told("running", at=1)),
        (True, told("passed", at=3)),
        (False, told("rolled_back")),
        (True, told("passed")),
    ],
)
def test_the_trigger_waits_until_the_step_is_over_and_through_an_endpoint_that_is_away(
    monkeypatch: pytest.MonkeyPatch, last: bool, end: dict[str, Any]
) -> None:
    monkeypatch.setattr(canary, "POLL_SECONDS", 0.01)
    said = [told("running"), None, {}, told("baseline"), told("running", at=0), end]

    async def first(url: str) -> Any:
        trigger = CanaryTrigger(url, "v4-00ff", 0, last=last)
        return await anext(trigger.run())

    with endpoint(lambda: said.pop(0)) as url:
        event = asyncio.run(first(url))
    assert (event.payload, said) == (end, [])


def timed_out(operator: CanaryStepOperator) -> Any:
    """Go on with a step as Airflow does when its time is over."""
    return operator.resume_execution(TRIGGER_FAIL_REPR, {"error": TriggerFailureReason.TRIGGER_TIMEOUT}, {})


@pytest.mark.parametrize(
    ("now", "stands"),
    [
        ({**told("running"), "requests": 1200}, r"canary of m 4 against 3: running \(1,200 requests\)"),
        (None, "says nothing of it"),
    ],
)
def test_a_step_that_has_not_decided_in_time_says_so_and_where_it_stands(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, now: dict[str, Any] | None, stands: str
) -> None:
    with endpoint(lambda: now) as url:
        monkeypatch.setenv("ACCLIMATE_ENDPOINT_URL", url)
        reason = rf"step 1 was not decided within 1\.5 h \(canary\.step_hours in params\.yaml\): .*{stands}"
        with pytest.raises(AirflowFailException, match=reason):
            timed_out(step(checkout, "v4-00ff"))


def test_a_step_that_was_decided_while_nobody_watched_counts_though_its_time_is_over(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with endpoint(lambda: told("running", at=1)) as url:
        monkeypatch.setenv("ACCLIMATE_ENDPOINT_URL", url)
        assert timed_out(step(checkout, "v4-00ff")) == {"headline": "canary of m 4 against 3: running"}
