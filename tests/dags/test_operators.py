from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from acclimate.core.runs import open_run
from orchestration.commands import environment
from orchestration.operators import ActionOperator, DvcStageOperator

StartTask = Callable[[], subprocess.Popen[str]]
TASK = """
import sys
from orchestration.operators import DvcStageOperator
print(DvcStageOperator(task_id="slow", stage="slow", run_key="a").execute({}))
"""


def run_stage(stage: str, key: str = "a") -> dict[str, Any]:
    result: dict[str, Any] = DvcStageOperator(task_id=stage, stage=stage, run_key=key).execute({})
    return result


def test_a_stage_says_what_it_found_and_that_it_ran(checkout: Path) -> None:
    open_run(checkout, "a", {})
    result = run_stage("greet")
    assert (result["headline"], result["outcome"]) == ("hello", "ran")
    assert result["seconds"] > 0


def test_a_second_run_takes_an_equal_stage_from_the_shared_cache(checkout: Path) -> None:
    open_run(checkout, "a", {})
    open_run(checkout, "b", {})
    assert [run_stage("greet", key)["outcome"] for key in "aab"] == ["ran", "cached", "cached"]


def test_a_run_with_another_dial_of_the_stage_runs_it_again(checkout: Path) -> None:
    open_run(checkout, "a", {})
    open_run(checkout, "b", {"training.rank": 8})
    assert [run_stage("greet", key)["outcome"] for key in "ab"] == ["ran", "ran"]


def test_a_broken_stage_is_retried_and_fails_with_its_own_words(checkout: Path) -> None:
    open_run(checkout, "a", {})
    with pytest.raises(AirflowException, match=r"crash failed \(exit status 1\)") as fault:
        run_stage("crash")
    assert not isinstance(fault.value, AirflowFailException)
    assert "ValueError: seven is not prime" in str(fault.value)
    assert "failed to reproduce" not in str(fault.value)


def test_a_fault_of_the_user_is_not_retried_and_says_what_to_do(checkout: Path) -> None:
    open_run(checkout, "a", {})
    with pytest.raises(AirflowFailException) as fault:
        run_stage("dedup")
    lines = str(fault.value).splitlines()
    assert lines[0] == "dedup failed (exit status 2):"
    assert lines[1].startswith("acclimate dedup: dedup needs artifacts/split")
    assert lines[3].strip().startswith("what to do:")


def test_a_run_that_does_not_exist_is_not_retried(checkout: Path) -> None:
    with pytest.raises(AirflowFailException, match="there is no run 'a'"):
        run_stage("greet")


def test_an_action_runs_in_the_worktree_and_fails_in_its_own_words(checkout: Path) -> None:
    open_run(checkout, "a", {})
    (checkout / ".acclimate/runs/a/dvc.lock").write_text("schema: '2.0'\n")
    seal = ActionOperator(task_id="seal_run", action="run", arguments=["seal", "a"], run_key="a")
    sealed = subprocess.run(["git", "rev-parse", "acclimate/a"], cwd=checkout, capture_output=True, text=True)
    assert sealed.returncode != 0
    headline = seal.execute({})["headline"]
    sealed = subprocess.run(["git", "rev-parse", "acclimate/a"], cwd=checkout, capture_output=True, text=True)
    assert headline == sealed.stdout.strip()
    with pytest.raises(AirflowFailException, match="acclimate run: there is no run 'other'"):
        ActionOperator(task_id="seal_run", action="run", arguments=["seal", "other"], run_key="a").execute({})


def test_an_action_that_comes_before_the_run_works_in_the_main_checkout(checkout: Path) -> None:
    fetch = ActionOperator(task_id="fetch", action="fetch", arguments=["--wait"], run_key=None)
    assert fetch.execute({})["headline"] == "no source of the domain 'scientific_python' is remote: nothing to fetch"
    params = (checkout / "params.yaml").read_text()
    (checkout / "params.yaml").write_text(params.replace("domain: scientific_python", "domain: nobodys", 1))
    with pytest.raises(AirflowFailException, match=r"acclimate fetch: .* has 1 fault"):
        fetch.execute({})


def test_a_transform_takes_what_stands_behind_the_dashes_for_names(checkout: Path) -> None:
    arguments = ["--model", "champion", "--", "--none.jsonl", "out"]
    with pytest.raises(AirflowFailException, match=r"acclimate transform: --none\.jsonl is no file"):
        ActionOperator(task_id="transform", action="transform", arguments=arguments, run_key=None).execute({})


def test_the_event_of_an_outlet_carries_the_run(checkout: Path) -> None:
    open_run(checkout, "a", {})
    made = Asset("made")
    context: Any = {"outlet_events": {made: SimpleNamespace(extra={})}}
    DvcStageOperator(task_id="greet", stage="greet", run_key="a", outlets=[made]).execute(context)
    assert context["outlet_events"][made].extra == {"run": "a"}


def test_commands_see_the_snapshots_code_and_no_secret_of_airflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", "secret")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    seen = environment(tmp_path)
    assert not [name for name in seen if "AIRFLOW" in name]
    assert seen["PYTHONPATH"] == str(tmp_path / "include")
    assert seen["MLFLOW_TRACKING_URI"] == "http://127.0.0.1:5000"


def wait_for_pids(checkout: Path, count: int) -> list[int]:
    file = checkout / "pids"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if file.exists() and len(file.read_text().split()) == count:
            return [int(pid) for pid in file.read_text().split()]
        time.sleep(0.05)
    raise AssertionError(f"the stage did not start {count} times")


def alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.fixture
def start_task() -> Iterator[StartTask]:
    """Starts the stage `slow` in a process of its own, as Airflow does; none outlives the test."""
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        paths = os.pathsep.join(path for path in sys.path if path)
        command, environment = [sys.executable, "-c", TASK], {**os.environ, "PYTHONPATH": paths}
        started.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for task in started:
        task.kill()
        task.wait()


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 30
    while alive(pid):
        assert time.monotonic() < deadline, f"process {pid} outlived its task"
        time.sleep(0.05)


def test_after_sigkill_of_the_task_nothing_runs_on_and_the_retry_succeeds(
    checkout: Path, start_task: Callable[[], subprocess.Popen[str]]
) -> None:
    open_run(checkout, "a", {})
    task = start_task()
    [stage] = wait_for_pids(checkout, 1)
    task.send_signal(signal.SIGKILL)
    task.wait()
    wait_until_gone(stage)
    retry = start_task()
    wait_for_pids(checkout, 2)
    (checkout / "go").touch()
    out, _ = retry.communicate(timeout=60)
    assert retry.returncode == 0
    assert "'headline': 'slow and steady', 'outcome': 'ran'" in out


def test_the_same_stage_twice_at_once_fails_one_of_them_for_a_retry(
    checkout: Path, start_task: Callable[[], subprocess.Popen[str]]
) -> None:
    open_run(checkout, "a", {})
    task = start_task()
    wait_for_pids(checkout, 1)
    with pytest.raises(AirflowException, match="is busy, it is being blocked by") as fault:
        run_stage("slow")
    assert not isinstance(fault.value, AirflowFailException)
    (checkout / "go").touch()
    assert task.wait(60) == 0


def test_a_lock_that_a_killed_dvc_left_half_written_does_not_stop_the_retry(checkout: Path) -> None:
    path = open_run(checkout, "a", {})
    run_stage("greet")
    (path / ".dvc/tmp/rwlock").write_text("")
    (path / "dvc.lock").write_text("")
    assert run_stage("greet")["outcome"] == "cached"


def test_a_task_that_is_told_to_end_ends_its_stage(checkout: Path) -> None:
    open_run(checkout, "a", {})
    operator = DvcStageOperator(task_id="slow", stage="slow", run_key="a")

    def kill(_signal: int, _frame: object) -> None:
        operator.on_kill()

    signal.signal(signal.SIGALRM, kill)
    watcher = subprocess.Popen(
        ["bash", "-c", f"while [ ! -s {checkout}/pids ]; do sleep 0.1; done; kill -ALRM {os.getpid()}"]
    )
    with pytest.raises(AirflowException, match="slow failed"):
        operator.execute({})
    watcher.wait()
    [stage] = wait_for_pids(checkout, 1)
    wait_until_gone(stage)
