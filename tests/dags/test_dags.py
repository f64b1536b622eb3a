from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG
from airflow.sdk.exceptions import ParamValidationError

from acclimate.pipeline import ACTIONS, STAGES
from acclimate.services.up import DAGS, POOLS
from orchestration.graph import StageNode, read_graph
from orchestration.operators import ActionOperator, DvcStageOperator
from orchestration.place import CHALLENGER, DATASET, OPEN_RUN

CHECKOUT = Path(__file__).parents[2]
DECISIONS = {"adapt_model": {"is_new", "gate_passed"}, "adapt_release": {"quantized_passed", "approval"}}
ACTIONS_OF = {
    "adapt_data": {"fetch", "testset", "dataset"},
    "adapt_model": {"champion", "report", "seal_run", "register"},
    "adapt_release": {"report", "seal_run", "package", "promote", "serve", "final_report"},
    "adapt_watch": {"collect", "drift", "alert"},
    "batch_transform": {"transform"},
}


@pytest.fixture(scope="module")
def dags() -> dict[str, DAG]:
    bag = DagBag(str(CHECKOUT / "dags"))
    assert bag.import_errors == {}
    return dict(bag.dags)


@pytest.fixture(scope="module")
def graph() -> dict[str, StageNode]:
    return read_graph(CHECKOUT)


def test_the_five_dags_load(dags: dict[str, DAG]) -> None:
    assert set(dags) == set(DAGS) == {"adapt_data", "adapt_model", "adapt_release", "adapt_watch", "batch_transform"}


def test_every_task_is_a_stage_an_action_or_a_decision_and_none_is_missing(
    dags: dict[str, DAG], graph: dict[str, StageNode]
) -> None:
    for name, dag in dags.items():
        stages = {node.name for node in graph.values() if node.dag == name}
        opened = {OPEN_RUN} if name.startswith("adapt_") else set()  # a transform is of the checkout, and of no run
        assert set(dag.task_ids) == stages | ACTIONS_OF[name] | DECISIONS.get(name, set()) | opened
    assert sum(isinstance(task, DvcStageOperator) for dag in dags.values() for task in dag.tasks) == len(STAGES) == 18


def test_actions_exist_and_their_tasks_bear_their_names(dags: dict[str, DAG]) -> None:
    for task in (task for dag in dags.values() for task in dag.tasks if isinstance(task, ActionOperator)):
        assert task.action in ACTIONS
        assert task.task_id in (task.action, "seal_run", "promote", "final_report")


def test_pool_retries_and_timeout_are_those_of_dvc_yaml_and_the_pools_exist(
    dags: dict[str, DAG], graph: dict[str, StageNode]
) -> None:
    for node in graph.values():
        task = dags[node.dag].get_task(node.name)
        assert task.execution_timeout is not None
        assert (task.pool, task.retries, task.execution_timeout.total_seconds()) == (
            node.pool,
            node.retries,
            60 * node.timeout_minutes,
        )
        assert node.pool in POOLS


def test_a_stage_runs_after_every_stage_it_reads_from(dags: dict[str, DAG], graph: dict[str, StageNode]) -> None:
    for node in graph.values():
        dag = dags[node.dag]
        before = {task.task_id for task in dag.get_task(node.name).get_flat_relatives(upstream=True)}
        assert before >= {other for other in node.upstream if graph[other].dag == node.dag} | {OPEN_RUN}


def test_what_is_elsewhere_is_fetched_into_the_checkout_before_the_run_takes_its_copy(dags: dict[str, DAG]) -> None:
    fetch = dags["adapt_data"].get_task("fetch")
    assert fetch.downstream_task_ids == {OPEN_RUN}
    assert (fetch.run_key, fetch.arguments) == (None, ["--wait", "--domain", "{{ params.domain }}"])


def test_a_stage_reads_only_what_its_own_or_an_earlier_dag_made(graph: dict[str, StageNode]) -> None:
    order = ["adapt_data", "adapt_model", "adapt_release"]
    for node in graph.values():
        for other in node.upstream:
            assert order.index(graph[other].dag) <= order.index(node.dag)


def test_nothing_behind_a_gate_runs_whatever_happened(dags: dict[str, DAG]) -> None:
    rules = {(name, task.task_id): task.trigger_rule.value for name, dag in dags.items() for task in dag.tasks}
    assert {place: rule for place, rule in rules.items() if rule != "all_success"} == {
        ("adapt_model", "report"): "none_failed"
    }
    behind = {task.task_id for task in dags["adapt_model"].get_task("gate_passed").get_flat_relatives(upstream=False)}
    assert behind == {"seal_run", "register"}


def test_the_test_set_is_locked_before_anything_is_compared_with_it(dags: dict[str, DAG]) -> None:
    lock = dags["adapt_data"].get_task("testset")
    assert (lock.upstream_task_ids, lock.downstream_task_ids) == ({"split"}, {"decontaminate"})


def test_a_training_set_is_a_version_before_anything_is_trained_on_it(dags: dict[str, DAG]) -> None:
    dataset = dags["adapt_data"].get_task("dataset")
    assert (dataset.upstream_task_ids, dataset.outlets) == ({"mix"}, [DATASET])


def test_assets_close_the_chain(dags: dict[str, DAG]) -> None:
    made = {asset.name: task.task_id for dag in dags.values() for task in dag.tasks for asset in task.outlets}
    assert made == {DATASET.name: "dataset", CHALLENGER.name: "register"}
    assert dags["adapt_model"].schedule == [DATASET]
    assert dags["adapt_release"].schedule == [CHALLENGER]


def test_the_trigger_form_knows_the_domains_of_params_yaml_and_explains_every_field(dags: dict[str, DAG]) -> None:
    params = dags["adapt_data"].params
    assert set(params) == {"domain", "mix", "base_model", "strategy", "approval"}
    assert params.get_param("domain").schema["enum"] == ["documents", "scientific_python"]
    assert params["approval"] is False
    for name in params:
        schema = params.get_param(name).schema
        assert schema["title"]
        assert params.get_param(name).description


def test_an_answer_outside_the_form_is_refused(dags: dict[str, DAG]) -> None:
    with pytest.raises(ParamValidationError, match="'prefix' is not one of"):
        dags["adapt_data"].params.get_param("strategy").resolve("prefix")


def test_a_transform_takes_what_the_form_says_for_what_it_is_and_may_take_days(dags: dict[str, DAG]) -> None:
    dag = dags["batch_transform"]
    task = dag.get_task("transform")
    assert (task.run_key, task.execution_timeout, task.retries) == (None, None, 2)
    assert task.arguments == ["--model", "{{ params.model }}", "--", "{{ params.input }}", "{{ params.out }}"]
    assert dag.params["model"] == "champion"
    with pytest.raises(ParamValidationError):
        dag.params.get_param("input").resolve("")


def test_dags_start_unpaused_and_do_not_catch_up(dags: dict[str, DAG]) -> None:
    for dag in dags.values():
        assert (dag.is_paused_upon_creation, dag.catchup) == (False, False)


def test_parsing_the_dags_imports_no_machine_learning() -> None:
    """Every DAG file is parsed again every few seconds."""
    code = f"""
import sys
sys.path[:0] = [{str(CHECKOUT / "include")!r}, {str(CHECKOUT / "plugins")!r}, {str(CHECKOUT / "dags")!r}]
import adapt_data, adapt_model, adapt_release, adapt_watch, batch_transform
heavy = ("torch", "transformers", "mlflow", "bentoml", "great_expectations", "pandas", "pyarrow", "dvc", "fastapi")
print([name for name in heavy if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
