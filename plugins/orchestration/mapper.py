"""dvc.yaml's stages as Airflow tasks: the one place where the two meet.

    with DAG("adapt_data", …):
        tasks = stage_tasks(OpenRun(task_id=OPEN_RUN), outlets={"mix": [DATASET]})

A stage becomes a task of the DAG that its `meta.dag` names, with its pool, retries and timeout; the
edges are those of its deps and outs. What other DAGs have made is there already: it started this one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from airflow.sdk import Asset, BaseOperator

from acclimate.core.home import home
from orchestration.graph import StageNode, read_graph
from orchestration.operators import DvcStageOperator


def stage_tasks(
    first: BaseOperator, *, outlets: Mapping[str, Sequence[Asset]] | None = None
) -> dict[str, DvcStageOperator]:
    """A task for every stage of the DAG that `first` is in, by stage name.

    Args:
        first: the task that opens the run; stages that wait for no other stage of this DAG wait for it.
        outlets: stage name to the assets that its success brings about.
    """
    nodes = {name: node for name, node in read_graph(home()).items() if node.dag == first.dag_id}
    tasks = {name: _task(node, list((outlets or {}).get(name, []))) for name, node in nodes.items()}
    for name, node in nodes.items():
        before = sorted(node.upstream & nodes.keys())
        tasks[name].set_upstream([tasks[other] for other in before] or [first])
    return tasks


def _task(node: StageNode, outlets: list[Asset]) -> DvcStageOperator:
    return DvcStageOperator(
        task_id=node.name,
        stage=node.name,
        doc_md=node.desc,
        pool=node.pool,
        retries=node.retries,
        execution_timeout=timedelta(minutes=node.timeout_minutes),
        outlets=outlets,
    )
