"""Challengers on their way to users through a real embedded Airflow: asked for, tried on requests, promoted or out.

    finished run of a tiny model ─┬─ version 1: champion
                                  ├─ run 'good': a person approves by REST, 1 → 5 → 15 → 50 → 100 %, champion
                                  └─ run 'bad': its answers fail, the champion answers, the DAG run is red

What the stages of adapt_release would make is there already and known to DVC, which finds it unchanged; everything
else is the real thing: Airflow with its triggerer, MLflow, the endpoint's processes, requests over HTTP.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import signal
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from acclimate.core.files import read_json, write_json
from acclimate.core.reports import report_path
from acclimate.core.runs import open_run
from acclimate.release.package import package
from acclimate.release.register import register
from acclimate.release.registry import aliases, connect
from acclimate.release.versions.moves import promote
from acclimate.release.weights import folder_sha256
from acclimate.services.airflow_api import AirflowApi, quote
from acclimate.services.processes import Service, recorded
from acclimate.services.settings import load_secrets

from .conftest import Checkout, free_port

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(1500)]

MODEL = "acclimate-scientific-python"
WAIT_SECONDS = 300.0
CANARY = {
    "canary.enabled": True,
    "canary.alpha": 0.5,  # so that some answers at each share are enough
    "canary.bounds.errors": 0.5,
    "canary.bounds.slow": 0.95,  # the machine is busy: only a challenger that is always slow would be out
    "canary.bounds.complaints": 0.5,
    "canary.baseline_requests": 20,
    "canary.min_requests": 3,
}
SHARES = [0.01, 0.05, 0.15, 0.5]
STEPS = [f"canary_step_{number}" for number in (1, 2, 3, 4)]
RED = {"run": "failed", STEPS[0]: "failed", "promote": "upstream_failed", "canary_stop": "success"}


@dataclass
class Plane:
    """A checkout whose services run, and the runs that are released there."""

    checkout: Checkout
    ports: dict[str, int]
    finished: Path
    versions: list[str] = field(default_factory=list)

    @property
    def api(self) -> AirflowApi:
        return AirflowApi(f"http://127.0.0.1:{self.ports['airflow']}", load_secrets(self.checkout.path).password)

    def up(self) -> None:
        options = [text for name, port in self.ports.items() for text in (f"--{name}-port", str(port))]
        print(self.checkout.succeed("acclimate", "up", *options))

    def service(self, name: str) -> Service:
        return next(service for service in recorded(self.checkout.path) if service.name == name)

    def registered(self, key: str, *, changes: dict[str, Any], fails: bool = False) -> str:
        """Open a run, let it have what the finished one made, register it; returns the version."""
        for version in self.versions:  # a version with the same adapter would be the same version
            connect().set_model_version_tag(MODEL, version, "adapter_sha256", "superseded")
        path = open_run(self.checkout.path, key, changes)
        own = shutil.ignore_patterns(".git", "params.yaml", "dvc.lock")
        shutil.copytree(self.finished, path, dirs_exist_ok=True, ignore=own)
        for made in ("artifacts/decontaminate/checked_against.json", "artifacts/evaluate_quantized/forms.json"):
            write_json(path / made, {})
        if fails:
            unable(path)
        done = self.checkout.run("dvc", "commit", "--force", "quantize", "evaluate_quantized", cwd=path)
        assert done.returncode == 0, done.stdout
        version = str(register(path)["version"])
        self.versions.append(version)
        return version

    def states(self, run_id: str) -> dict[str, str]:
        """The tasks of a run of adapt_release by name."""
        return {task["task_id"]: task["state"] for task in self.api.tasks("adapt_release", run_id)}

    def wait_for_end(self, run_id: str) -> None:
        until(lambda: self.api.run("adapt_release", run_id)["state"] in ("success", "failed"), "the DAG run's end")

    def outcome(self, run_id: str) -> dict[str, str]:
        """What became of a run of adapt_release, and of those of its tasks that RED names."""
        states = self.states(run_id) | {"run": self.api.run("adapt_release", run_id)["state"]}
        return {name: states[name] for name in RED}

    def log(self, run_id: str, task: str) -> str:
        """What the first try of a task wrote."""
        path = f"dags/adapt_release/dagRuns/{quote(run_id)}/taskInstances/{task}/logs/1"
        return json.dumps(self.api.get(path, full_content="true")["content"])

    def canary(self) -> dict[str, Any]:
        """What the endpoint says of the canary."""
        return self.endpoint("/api/v1/canary")[1]

    def endpoint(self, path: str, body: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        """Status and answer; (0, {}) while nobody listens."""
        data = None if body is None else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.ports['endpoint']}{path}"
        request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, json.loads(response.read())
        except urllib.error.HTTPError as fault:
            return fault.code, json.loads(fault.read())
        except urllib.error.URLError:
            return 0, {}

    @contextlib.contextmanager
    def clients(self) -> Iterator[list[tuple[int, str | None]]]:
        """Users that ask one question each while the block lasts: status and version of every answer."""
        answers: list[tuple[int, str | None]] = []
        numbers, stop = itertools.count(), threading.Event()

        def ask() -> None:
            while not stop.is_set():
                question = {"question": "What does numpy.argsort do?", "max_new_tokens": 1}
                status, answer = self.endpoint("/api/v1/generate", {**question, "user": f"user {next(numbers)}"})
                answers.append((status, answer.get("version")))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            yield answers
        finally:
            stop.set()
            for thread in threads:
                thread.join()


def unable(path: Path) -> None:
    """Have the tokenizer make of one word of the question a token that the network has not, and the gate approve it."""
    model, verdict = path / "artifacts/quantize/quantized", report_path("evaluate_quantized", path)
    tokenizer = read_json(model / "tokenizer.json")
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized", "special"), False)
    tokenizer["added_tokens"].append({"id": 10**6, "content": "argsort", **flags})
    (model / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    write_json(verdict, read_json(verdict) | {"quantized_sha256": folder_sha256(model)})


def until(condition: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.3)


@pytest.fixture(scope="module")
def plane(new_checkout: Callable[[str], Checkout], finished_run: Path, migrated_database: Path) -> Iterator[Plane]:
    """Services with a champion, version 1."""
    checkout = new_checkout("canary")
    shutil.copyfile(finished_run / "params.yaml", checkout.path / "params.yaml")
    checkout.set(CANARY)
    ports = {name: free_port() for name in ("airflow", "mlflow", "endpoint")}
    plane = Plane(checkout, ports, finished_run)
    (checkout.path / ".acclimate/mlflow").mkdir(parents=True)
    shutil.copyfile(migrated_database, checkout.path / ".acclimate/mlflow/mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ACCLIMATE_HOME", str(checkout.path))
        patch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{ports['mlflow']}")
        try:
            plane.up()
            plane.registered("first", changes={})
            first = checkout.path / ".acclimate/runs/first"
            package(first)
            promote(first, MODEL)
            yield plane
        finally:
            print(checkout.run("acclimate", "stop").stdout)


def test_no_service_listens_to_other_machines(plane: Plane) -> None:
    assert listening(recorded(plane.checkout.path)) == {"0100007F"}


def test_a_good_challenger_is_approved_and_takes_over_share_by_share_though_the_triggerer_is_killed(
    plane: Plane,
) -> None:
    version = plane.registered("good", changes={"registry.approval": True})
    run_id = plane.api.trigger("adapt_release", {"run": "good"})
    until(lambda: plane.states(run_id).get("approval") == "awaiting_input", "the question")
    approval = f"dags/adapt_release/dagRuns/{quote(run_id)}/taskInstances/approval/-1/hitlDetails"
    asked = plane.api.get(approval)
    assert asked["subject"] == "Release the model of run good?"
    assert "**Gate:** promote: domain cloze" in asked["body"]
    assert plane.endpoint("/api/v1/canary")[0] == 404, "nobody is asked anything before the approval"
    # A person reads first. Airflow may take an answer within the second for a failure, and then asks again.
    time.sleep(5)
    plane.api.send("PATCH", approval, {"chosen_options": ["Approve"]})

    until(lambda: plane.states(run_id)[STEPS[0]] == "deferred", "the first step")
    pool = plane.api.get("pools/default_pool")
    assert (pool["deferred_slots"], pool["occupied_slots"]) == (1, 0), "it waits without a worker"
    triggerer = plane.service("airflow-triggerer")
    os.kill(triggerer.pid, signal.SIGKILL)
    until(lambda: below({triggerer.pid}) == {triggerer.pid}, "the end of what the triggerer started")
    plane.up()
    assert plane.service("airflow-triggerer").pid != triggerer.pid

    with plane.clients() as answers:
        until(lambda: plane.canary()["status"] == "passed", "the canary's end")
        passed = len(answers)
        until(lambda: len(answers) > passed + 20, "answers after it")
    plane.wait_for_end(run_id)
    states = plane.states(run_id)
    assert set(states.values()) == {"success", "skipped"}, states
    assert {task for task, state in states.items() if state == "skipped"} == {"canary_stop", "canary_report"}
    assert Counter(status for status, _ in answers) == {200: len(answers)}
    assert {served for _, served in answers[:10]} == {"1"}
    assert {served for _, served in answers[passed + 5 :]} == {version}
    ended = plane.canary()["ended"]
    assert [(step["share"], step["verdict"]) for step in ended] == [(share, "advance") for share in SHARES]
    assert aliases(connect(), MODEL) == {"champion": version, "challenger": None, "previous": "1"}
    assert plane.endpoint("/api/v1/health")[1]["roles"]["champion"]["version"] == version


def test_a_challenger_that_fails_is_out_by_itself_and_the_dag_run_is_red_with_the_reason(plane: Plane) -> None:
    standing = aliases(connect(), MODEL)
    before = standing["champion"]
    version = plane.registered("bad", changes={}, fails=True)
    run_id = plane.api.trigger("adapt_release", {"run": "bad"})
    until(lambda: plane.states(run_id).get(STEPS[0]) == "deferred", "the first step")
    with plane.clients() as answers:
        until(lambda: plane.canary()["status"] == "rolled_back", "the rollback")
        gone = len(answers)
        until(lambda: len(answers) > gone + 20, "answers after it")
    assert Counter(answers) == {(200, before): len(answers)}, "the champion stepped in"
    plane.wait_for_end(run_id)
    assert plane.outcome(run_id) == RED
    reason = plane.canary()["ended"][-1]["reason"]
    assert reason.startswith("errors: 100.0% of ")
    assert f"rolled back at 0%. {reason}" in plane.log(run_id, STEPS[0])
    assert "nothing to stop" in plane.log(run_id, "canary_stop")
    assert "roll back" in plane.api.page("/acclimate/dag-run", dag_id="adapt_release", run_id=run_id)
    until(lambda: connect().get_model_version(MODEL, version).tags.get("canary"), "the registry to be told")
    tags = connect().get_model_version(MODEL, version).tags
    assert tags["rolled_back"] == reason
    assert json.loads(tags["canary"])["ended"][-1]["evidence"][0]["metric"] == "errors"
    assert aliases(connect(), MODEL) == standing


def listening(services: list[Service]) -> set[str]:
    """The addresses on which services and whatever they started listen, in /proc/net's hexadecimal."""
    inodes = set()
    for process in below({service.pid for service in services}):
        with contextlib.suppress(OSError):  # it ended meanwhile
            inodes |= {os.readlink(handle) for handle in Path("/proc", str(process), "fd").iterdir()}
    rows = [line.split() for name in ("tcp", "tcp6") for line in Path("/proc/net", name).read_text().splitlines()[1:]]
    return {row[1].partition(":")[0] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in inodes}


def below(first: set[int]) -> set[int]:
    """Processes, all that descend from them, and all of their sessions, whose own parents may be gone."""
    found, parents = set(first), {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            parents[int(stat.parent.name)] = set() if fields[0] == "Z" else {int(fields[1]), int(fields[3])}
    while new := {process for process, over in parents.items() if over & found} - found:
        found |= new
    return found
