"""From sources to a versioned training set; its asset starts adapt_model.

Started by hand, by REST or by whoever watches for drift: documents do not arrive on a clock.
"""

from airflow.sdk import DAG

from orchestration.dag_settings import SETTINGS
from orchestration.form import DIALS, run_form
from orchestration.mapper import stage_tasks
from orchestration.opening import OpenRunOperator
from orchestration.place import DATASET, OPEN_RUN

with DAG("adapt_data", schedule=None, params=run_form(), max_active_runs=4, doc_md=__doc__, **SETTINGS):
    stage_tasks(OpenRunOperator(task_id=OPEN_RUN, dials=DIALS), outlets={"mix": [DATASET]})
