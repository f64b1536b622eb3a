"""What Acclimate adds to the Airflow UI: a page that lists runs, one for reviews, and the tab 'Report'."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from orchestration.pages import app
from orchestration.web import PREFIX

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
REVIEW = {
    "name": "Acclimate review",
    "href": f"{PREFIX}/review",
    "destination": "nav",
    "category": "browse",  # without a route of Airflow's UI it opens in a tab of its own, as its forms need
}
VIEWS = [RUNS, REPORT, REVIEW]


class AcclimatePlugin(AirflowPlugin):
    """The pages."""

    name = "acclimate"
    fastapi_apps = APPS
    external_views = VIEWS
