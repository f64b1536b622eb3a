from __future__ import annotations

from pathlib import Path

from airflow.sdk import DAG, Asset

from orchestration.graph import read_graph
from orchestration.mapper import stage_tasks
from orchestration.opening import OpenRunOperator

DVC_YAML = """
stages:
  one: {cmd: a, outs: [artifacts/one, reports/one.json], meta: {dag: d, pool: light, retries: 2, timeout: 3}}
  two: {cmd: a, deps: [artifacts/one/a], outs: [artifacts/two/x], meta: {dag: d, pool: light, retries: 0, timeout: 3}}
  three: {cmd: a, deps: [artifacts/two], meta: {dag: d, pool: training, retries: 2, timeout: 3}}
  four: {cmd: a, deps: [artifacts/one, artifacts/one_more], meta: {dag: e, pool: light, retries: 2, timeout: 3}}
"""


def test_a_stage_waits_for_the_writer_of_a_file_of_its_folder_and_of_the_folder_around(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text(DVC_YAML)
    graph = read_graph(tmp_path)
    assert {name: set(node.upstream) for name, node in graph.items()} == {
        "one": set(),
        "two": {"one"},
        "three": {"two"},
        "four": {"one"},
    }


def test_the_mapper_makes_one_dag_and_hangs_its_roots_on_the_first_task(checkout: Path) -> None:
    (checkout / "dvc.yaml").write_text(DVC_YAML)
    made = Asset("made")
    with DAG("d", schedule=None) as dag:
        tasks = stage_tasks(OpenRunOperator(task_id="first"), outlets={"three": [made]})
    assert list(tasks) == ["one", "two", "three"]
    assert dag.get_task("first").downstream_task_ids == {"one"}
    assert (tasks["three"].upstream_task_ids, tasks["three"].pool, tasks["three"].outlets) == (
        {"two"},
        "training",
        [made],
    )
    with DAG("e", schedule=None) as other:
        stage_tasks(OpenRunOperator(task_id="first"))
    assert other.get_task("four").upstream_task_ids == {"first"}
