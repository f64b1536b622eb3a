"""A canary on real processes: `acclimate endpoint` with two models, a registry, and clients that never stop asking."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from acclimate.core.files import read_json, read_jsonl, write_json
from acclimate.core.params import load
from acclimate.core.params.release import HarmBounds
from acclimate.core.reports import report_path
from acclimate.release.canary.starting import start
from acclimate.release.package import package
from acclimate.release.register import register
from acclimate.release.registry import aliases, connect
from acclimate.release.roles import places
from acclimate.release.versions.moves import promote
from acclimate.release.weights import folder_sha256
from acclimate.serving.canary.record import Canary, read

from .conftest import Running, endpoint, release

MODEL = "acclimate-scientific-python"
QUESTION = "What does numpy.argsort do?"
QUICK = {
    "enabled": True,
    "shares": [0.3, 0.6],
    "alpha": 0.2,
    "bounds": HarmBounds(errors=0.3, slow=0.9, complaints=0.3),
    "baseline_requests": 5,
    "min_requests": 5,
}


@dataclass
class Trial:
    """A running endpoint with a champion, and a finished run of which further versions can be made."""

    service: Running
    run: Path
    made: int = 1

    def challenge(self, *, fails: bool) -> tuple[Path, Canary]:
        """Register and package another version, and begin its canary; one that fails cannot read the question."""
        for number in range(1, self.made + 1):  # a version with the same adapter would be the same version
            connect().set_model_version_tag(MODEL, str(number), "adapter_sha256", "superseded")
        self.made += 1
        checkout = Path(shutil.copytree(self.run, self.run.with_name(f"run-{self.made}")))
        if fails:
            unable(checkout)
        register(checkout)
        package(checkout)
        params = load(checkout / "params.yaml")
        canary = start(checkout, MODEL, params.model_copy(update={"canary": params.canary.model_copy(update=QUICK)}))
        assert isinstance(canary, Canary)
        return checkout, canary


def unable(checkout: Path) -> None:
    """Have the tokenizer make of one word of the question a token that the network has not, and the gate approve it."""
    model, verdict = checkout / "artifacts/quantize/quantized", report_path("evaluate_quantized", checkout)
    tokenizer = read_json(model / "tokenizer.json")
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized", "special"), False)
    tokenizer["added_tokens"].append({"id": 10**6, "content": "argsort", **flags})
    (model / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    write_json(verdict, read_json(verdict) | {"quantized_sha256": folder_sha256(model)})


@pytest.fixture(scope="module")
def trial(finished_run: Path, migrated_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    """One endpoint for all tests here; each makes a challenger of its own."""
    home = tmp_path_factory.mktemp("canary")
    (home / ".acclimate/mlflow").mkdir(parents=True)
    shutil.copyfile(migrated_database, home / ".acclimate/mlflow/mlflow.db")
    shutil.copyfile(finished_run / "params.yaml", home / "params.yaml")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ACCLIMATE_HOME", str(home))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        release(Path(shutil.copytree(finished_run, home / "run-1")))
        with endpoint(home) as service:
            service.wait_for("1")
            yield Trial(service, Path(shutil.copytree(finished_run, home / "run")))


def state() -> Canary:
    found = read(places().canary)
    assert found is not None
    return found


@contextlib.contextmanager
def clients(service: Running, *, many: int = 3) -> Iterator[list[tuple[int, dict[str, Any]]]]:
    """Clients that ask one question after the other, each as another user, and again until they are answered."""
    answers: list[tuple[int, dict[str, Any]]] = []
    numbers, stop = itertools.count(), threading.Event()

    def ask() -> None:
        while not stop.is_set():
            user = f"user {next(numbers)}"
            while not stop.is_set():
                with contextlib.suppress(OSError, HTTPException):  # it was killed, and acknowledged nothing
                    status, answer = service.ask(question=QUESTION, max_new_tokens=2, user=user)
                    if status != 503:  # its models are being loaded: it says when to ask again
                        answers.append((status, answer))
                        break
                time.sleep(0.3)

    threads = [threading.Thread(target=ask) for _ in range(many)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def until(condition: Any, seconds: float = 240.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def listening(port: int) -> int:
    """The process that holds the endpoint's socket and answers."""
    inodes = {
        line.split()[9]
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        if int(line.split()[1].split(":")[1], 16) == port and line.split()[3] == "0A"
    }
    holders = set()
    for handle in Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            if os.readlink(handle).removeprefix("socket:[").removesuffix("]") in inodes:
                holders.add(int(handle.parts[2]))
    return max(holders)  # the worker, started last


def test_a_bad_challenger_is_out_at_once_though_the_service_is_killed_and_nobody_loses_an_answer(
    trial: Trial,
) -> None:
    service = trial.service
    before = aliases(connect(), MODEL)["champion"]
    _, begun = trial.challenge(fails=True)
    with clients(service) as answers:
        until(lambda: state().status == "running")
        counted = state().requests
        os.kill(listening(service.port), signal.SIGKILL)
        until(lambda: state().status == "rolled_back")
        time.sleep(1.5)  # some more requests
    assert {status for status, _ in answers} == {200}
    assert {answer["version"] for _, answer in answers} == {before}
    end = state()
    assert (end.key, end.champion, end.share) == (begun.key, before, 0.0)
    assert end.reason.startswith("errors: 100.0% of ")
    assert end.ended[-1].requests > counted
    rows = {row["id"]: row for row in read_jsonl(places().access) if row["status"] == 200}
    decided = datetime.fromisoformat(end.ended[-1].when)
    starts = {
        name: datetime.fromisoformat(row["time"]) - timedelta(seconds=row["latency_s"]) for name, row in rows.items()
    }
    later = sorted((at, rows[name]["role"]) for name, at in starts.items() if at > decided)
    assert {role for _, role in later} == {"champion"}
    assert (later[0][0] - decided).total_seconds() <= 1
    until(lambda: state().settled)
    standing = aliases(connect(), MODEL)
    assert (standing["champion"], standing["challenger"]) == (before, None)
    tags = connect().get_model_version(MODEL, begun.challenger).tags
    assert tags["rolled_back"] == end.reason
    assert json.loads(tags["canary"])["ended"][-1]["evidence"][0]["metric"] == "errors"
    until(lambda: service.json("/api/v1/health")["roles"]["challenger"] is None)


def test_a_good_challenger_answers_more_and_more_and_is_champion_when_it_is_promoted(trial: Trial) -> None:
    service = trial.service
    before = aliases(connect(), MODEL)["champion"]
    checkout, begun = trial.challenge(fails=False)
    with clients(service) as answers:
        until(lambda: state().status == "passed")
        passed = len(answers)
        until(lambda: len(answers) > passed + 10)
        promote(checkout, MODEL)
        until(lambda: aliases(connect(), MODEL)["champion"] == begun.challenger)
        service.wait_for(begun.challenger)
    assert {status for status, _ in answers} == {200}
    assert {answer["version"] for _, answer in answers[:3]} == {before}
    assert {answer["version"] for _, answer in answers[passed + 3 :]} == {begun.challenger}
    told = service.json("/api/v1/canary")
    assert [(of["share"], of["verdict"]) for of in told["ended"]] == [(0.3, "advance"), (0.6, "advance")]
    assert (told["status"], told["share"], "salt" in told) == ("passed", 1.0, False)


def test_complaints_about_the_challenger_bring_the_champion_back(trial: Trial) -> None:
    service = trial.service
    _, begun = trial.challenge(fails=False)
    with clients(service):
        until(lambda: state().status == "running")
        while state().status == "running":
            rows = [row for row in read_jsonl(places().access) if row["version"] == begun.challenger]
            for row in rows:
                status, said = service.post(json.dumps({"id": row["id"], "score": 0}).encode(), path="/api/v1/feedback")
                assert status == 202, said
    assert state().status == "rolled_back"
    assert state().reason.startswith("complaints: ")
