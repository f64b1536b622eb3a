"""From sources to a versioned training set; its asset starts adapt_model.

Started by hand, by REST or by whoever watches for drift: documents do not arrive on a clock.
"""

from airflow.sdk import DAG

from orchestration.dag_settings import SETTINGS
from orchestration.form import DIALS, run_form
from orchestration.mapper import stage_tasks
from orchestration.opening import OpenRunOperator
from orchestration.operators import ActionOperator
from orchestration.place import DATASET, OPEN_RUN

with DAG("adapt_data", schedule=None, params=run_form(), max_active_runs=4, doc_md=__doc__, **SETTINGS):
    # Before the run is opened, which takes a copy of inputs/: what was fetched for one run is there for the next.
    arguments = ["--wait", "--domain", "{{ params.domain }}"]
    fetch = ActionOperator(task_id="fetch", action="fetch", arguments=arguments, run_key=None)
    opened = OpenRunOperator(task_id=OPEN_RUN, dials=DIALS)
    fetch >> opened
    stage = stage_tasks(opened)
    testset = ActionOperator(task_id="testset", action="testset", arguments=["lock"])
    stage["split"] >> testset >> stage["decontaminate"]
    dataset = ActionOperator(task_id="dataset", action="dataset", arguments=["accept"], outlets=[DATASET])
    stage["mix"] >> dataset
