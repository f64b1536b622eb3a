"""Answers to every record of a file, or of a bucket's prefix, by the champion or by whom you name.

Started by hand or by REST. A task that was killed is tried again and goes on where it was.
"""

from airflow.sdk import DAG

from orchestration.dag_settings import SETTINGS
from orchestration.form import transform_form
from orchestration.operators import ActionOperator

with DAG("batch_transform", schedule=None, params=transform_form(), max_active_runs=1, doc_md=__doc__, **SETTINGS):
    # No limit on its time: a large file takes days, and what is done stays done.
    ActionOperator(
        task_id="transform",
        action="transform",
        arguments=["--model", "{{ params.model }}", "--", "{{ params.input }}", "{{ params.out }}"],
        run_key=None,
        execution_timeout=None,
    )
