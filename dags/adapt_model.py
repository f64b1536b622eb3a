"""From a training set to a registered challenger, or to the reasons why not; its asset starts adapt_release.

A candidate that is the champion already, or that the gate refuses, ends the chain: the tasks behind are
skipped and the DAG run is a success. The report is written in either case.
"""

from airflow.providers.standard.operators.python import ShortCircuitOperator
from airflow.sdk import DAG

from orchestration.dag_settings import SETTINGS
from orchestration.decisions import is_new, passed
from orchestration.form import follow_form
from orchestration.mapper import stage_tasks
from orchestration.opening import FollowRunOperator
from orchestration.operators import ActionOperator
from orchestration.place import CHALLENGER, DATASET, OPEN_RUN, RUN_KEY

with DAG("adapt_model", schedule=[DATASET], params=follow_form(), max_active_runs=1, doc_md=__doc__, **SETTINGS):
    opened = FollowRunOperator(task_id=OPEN_RUN, finished="mix")
    stage = stage_tasks(opened)
    champion = ActionOperator(task_id="champion", action="champion")
    new = ShortCircuitOperator(
        task_id="is_new", python_callable=is_new, op_args=[RUN_KEY], ignore_downstream_trigger_rules=False
    )
    gate_passed = ShortCircuitOperator(task_id="gate_passed", python_callable=passed, op_args=[RUN_KEY, "gate"])
    # A skipped gate is no failure: the report then shows how far the run came.
    report = ActionOperator(task_id="report", action="report", trigger_rule="none_failed")
    seal = ActionOperator(task_id="seal_run", action="run", arguments=["seal", RUN_KEY])
    register = ActionOperator(task_id="register", action="register", outlets=[CHALLENGER])

    # Behind the base: where the champion stands on another one, that one is fetched with it.
    stage["base"] >> champion
    [stage["compose"], champion] >> new >> stage["evaluate"]
    [stage["baseline"], stage["gate"]] >> report
    [stage["gate"], report] >> gate_passed >> seal >> register
