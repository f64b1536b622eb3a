from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException

from acclimate.core.dag_runs import run_of
from acclimate.core.runs import open_run, run_path
from orchestration.decisions import is_new, passed
from orchestration.form import DIALS
from orchestration.opening import FollowRunOperator, OpenRunOperator

RUN_ID = "manual__2026-11-20T19:03:56+00:00"


def context(conf: dict[str, Any] | None = None, events: list[tuple[int, str]] | None = None) -> Any:
    found = [
        SimpleNamespace(timestamp=datetime(2026, 11, 20, 19, minute, tzinfo=UTC), extra={"run": key})
        for minute, key in events or []
    ]
    return {
        "dag_run": SimpleNamespace(run_id=RUN_ID, conf=conf),
        "triggering_asset_events": {"dataset": found} if found else {},
    }


def opening(conf: dict[str, Any] | None) -> str:
    with DAG("adapt_data", schedule=None):
        operator = OpenRunOperator(task_id="open_run", dials=DIALS)
    return str(operator.execute(context(conf)))


def following(events: list[tuple[int, str]] | None = None, named: str = "") -> str:
    with DAG("adapt_model", schedule=None):
        operator = FollowRunOperator(task_id="open_run", finished="mix", named=named)
    return str(operator.execute(context(events=events)))


def report(root: Path, key: str, stage: str, **values: Any) -> None:
    path = run_path(root, key) / f"reports/{stage}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"headline": "told", **values}))


def test_the_forms_answers_become_dials_of_the_run(checkout: Path) -> None:
    key = opening({"strategy": "dora", "approval": True, "domain": "scientific_python"})
    params = yaml.safe_load((run_path(checkout, key) / "params.yaml").read_text())
    assert (params["training"]["strategy"], params["registry"]["approval"]) == ("dora", True)
    record = json.loads((checkout / f".acclimate/runs/{key}.json").read_text())
    assert record["changes"] == {"training.strategy": "dora", "registry.approval": True}


def test_a_run_without_answers_takes_params_yaml_as_it_is_now(checkout: Path) -> None:
    text = (checkout / "params.yaml").read_text()
    (checkout / "params.yaml").write_text(text.replace("strategy: lora ", "strategy: dora "))
    params = yaml.safe_load((run_path(checkout, opening(None)) / "params.yaml").read_text())
    assert params["training"]["strategy"] == "dora"


def test_opening_again_after_a_crash_gives_the_same_run(checkout: Path) -> None:
    assert opening({"strategy": "dora"}) == opening({"strategy": "dora"})


def test_an_answer_to_no_question_fails_at_once(checkout: Path) -> None:
    with pytest.raises(AirflowFailException, match="triggered with strategie, which this DAG does not know"):
        opening({"strategie": "dora"})


def test_a_fault_in_params_yaml_fails_at_once_with_its_line(checkout: Path) -> None:
    text = (checkout / "params.yaml").read_text()
    (checkout / "params.yaml").write_text(text.replace("rank: 16", "rank: sixteen"))
    with pytest.raises(AirflowFailException, match=r"params\.yaml:\d+: training\.rank = 'sixteen'"):
        opening(None)


def test_the_dag_run_is_written_down_for_the_report_page(checkout: Path) -> None:
    key = opening(None)
    assert run_of(checkout, "adapt_data", RUN_ID) == key
    following(named=key)
    assert run_of(checkout, "adapt_model", RUN_ID) == key


def test_the_newest_event_says_which_run_to_follow(checkout: Path) -> None:
    for key in "abc":
        open_run(checkout, key, {})
    assert following(events=[(1, "a"), (3, "c"), (2, "b")], named="a") == "c"


def test_by_hand_the_named_run_is_followed_else_the_newest_that_came_so_far(checkout: Path) -> None:
    for key in "abc":
        open_run(checkout, key, {})
    report(checkout, "b", "mix")
    assert following(named="a") == "a"
    assert following() == "b"


def test_with_no_run_that_came_so_far_the_person_is_told_what_to_do(checkout: Path) -> None:
    open_run(checkout, "a", {})
    with pytest.raises(AirflowFailException, match=r"no run has finished the stage mix[\s\S]*trigger adapt_data"):
        following()


@pytest.mark.parametrize(("verdict", "goes_on"), [("promote", True), ("reject", False), ("inconclusive", False)])
def test_the_gate_decides_and_gives_its_reasons(
    checkout: Path, capsys: pytest.CaptureFixture[str], verdict: str, goes_on: bool
) -> None:
    open_run(checkout, "a", {})
    report(checkout, "a", "gate", verdict=verdict, reasons=["because"])
    assert passed("a", "gate") is goes_on
    assert capsys.readouterr().out == "told\nbecause\n"


@pytest.mark.parametrize(
    ("champion", "new"),
    [({"version": None}, True), ({"adapter_sha256": "a" * 64}, False), ({"adapter_sha256": "b" * 64}, True)],
)
def test_only_an_adapter_that_is_not_the_champion_is_evaluated(
    checkout: Path, champion: dict[str, Any], new: bool
) -> None:
    path = open_run(checkout, "a", {})
    (path / "champion").mkdir()
    (path / "champion/champion.json").write_text(json.dumps(champion))
    report(checkout, "a", "compose", adapter_sha256="a" * 64)
    assert is_new("a") is new
