"""From a registered challenger to the served champion: quantised, judged again, packaged, approved, tried, promoted.

If the quantised model is no longer the candidate, or a person says no, the tasks behind are skipped and what
was served before is served still. With `canary.enabled` in params.yaml the challenger is tried on a rising share of
users before it is promoted; a rollback fails this DAG run with the reason.
"""

from airflow.providers.standard.operators.python import ShortCircuitOperator
from airflow.sdk import DAG, chain

from orchestration.canary import canary_tasks
from orchestration.dag_settings import SETTINGS
from orchestration.decisions import PromotionApproval, passed
from orchestration.form import follow_form
from orchestration.mapper import stage_tasks
from orchestration.opening import FollowRunOperator
from orchestration.operators import ActionOperator
from orchestration.place import CHALLENGER, OPEN_RUN, RUN_KEY

with DAG("adapt_release", schedule=[CHALLENGER], params=follow_form(), max_active_runs=1, doc_md=__doc__, **SETTINGS):
    stage = stage_tasks(FollowRunOperator(task_id=OPEN_RUN, finished="gate"))
    quantized_passed = ShortCircuitOperator(
        task_id="quantized_passed", python_callable=passed, op_args=[RUN_KEY, "evaluate_quantized"]
    )
    # Twice: whoever is asked to approve reads the first, and so does whoever asks why not; the last has what is served.
    report = ActionOperator(task_id="report", action="report")
    seal = ActionOperator(task_id="seal_run", action="run", arguments=["seal", RUN_KEY])
    package = ActionOperator(task_id="package", action="package")
    approval = PromotionApproval(task_id="approval")
    promote = ActionOperator(task_id="promote", action="registry", arguments=["promote"])
    serve = ActionOperator(task_id="serve", action="serve")
    final_report = ActionOperator(task_id="final_report", action="report")

    stage["evaluate_quantized"] >> report >> quantized_passed >> seal >> package
    chain(package, approval, *canary_tasks(promote), promote, serve, final_report)
