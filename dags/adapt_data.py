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
    stage = stage_tasks(OpenRunOperator(task_id=OPEN_RUN, dials=DIALS))
    testset = ActionOperator(task_id="testset", action="testset", arguments=["lock"])
    stage["split"] >> testset >> stage["decontaminate"]
    dataset = ActionOperator(task_id="dataset", action="dataset", arguments=["accept"], outlets=[DATASET])
    stage["mix"] >> dataset
