"""Every day: does what the model is asked still look like what it was trained on?"""

from airflow.sdk import DAG

from orchestration.dag_settings import SETTINGS
from orchestration.opening import OpenRunOperator
from orchestration.operators import ActionOperator
from orchestration.place import OPEN_RUN

with DAG("adapt_watch", schedule="@daily", max_active_runs=1, doc_md=__doc__, **SETTINGS):
    collect, drift, alert = (ActionOperator(task_id=name, action=name) for name in ("collect", "drift", "alert"))
    OpenRunOperator(task_id=OPEN_RUN) >> collect >> drift >> alert
