"""What Acclimate adds to the Airflow UI: a page that lists runs, and the tab 'Report' on a DAG run."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from orchestration.pages import PREFIX, app

APPS = [{"app": app, "url_prefix": PREFIX, "name": "acclimate"}]

RUNS = {
    "name": "Acclimate runs",
    "href": f"{PREFIX}/",
    "destination": "nav",
    "category": "browse",
    "url_route": "acclimate-runs",
}
REPORT = {
    "name": "Report",
    "href": f"{PREFIX}/dag-run?dag_id={{DAG_ID}}&run_id={{RUN_ID}}",  # Airflow fills these two in
    "destination": "dag_run",
    "url_route": "acclimate-report",
}
VIEWS = [RUNS, REPORT]


class AcclimatePlugin(AirflowPlugin):
    """The report pages."""

    name = "acclimate"
    fastapi_apps = APPS
    external_views = VIEWS
