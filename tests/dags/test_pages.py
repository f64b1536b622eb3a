from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow.api_fastapi.core_api.security import get_user
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from acclimate.core.dag_runs import note_dag_run
from acclimate.core.runs import open_run
from orchestration.pages import POLICY, app


@pytest.fixture
def client() -> Iterator[TestClient]:
    """Somebody who is logged in; the login itself is Airflow's."""
    app.dependency_overrides[get_user] = lambda: "somebody"
    yield TestClient(app, follow_redirects=False)
    app.dependency_overrides.clear()


@pytest.fixture
def run(checkout: Path) -> Path:
    path = open_run(checkout, "a", {"training.strategy": "dora"})
    note_dag_run(checkout, "adapt_model", "manual__1", "a")
    (path / "artifacts/validate/data_docs/static").mkdir(parents=True)
    (path / "artifacts/validate/data_docs/index.html").write_text("<h1>suites</h1>")
    (path / "artifacts/validate/data_docs/static/records.html").write_text("<h1>records</h1>")
    (path / "artifacts/validate/rejected.html").write_text("secret")
    (path / "reports").mkdir()
    return path


def test_every_route_asks_who_is_there() -> None:
    routes = [route for route in app.routes if isinstance(route, APIRoute)]
    assert len(routes) == len(app.routes) == 5
    for route in routes:
        assert get_user in [dependency.call for dependency in route.dependant.dependencies]


def test_a_stranger_is_turned_away(run: Path) -> None:
    for address in ("/", "/dag-run?dag_id=adapt_model&run_id=manual__1", "/runs/a/reports/run.html"):
        assert TestClient(app).get(address).status_code == 401


def test_the_tab_leads_to_the_report_of_the_run(client: TestClient, run: Path) -> None:
    (run / "reports/run.html").write_text("<h1>report</h1>")
    answer = client.get("/dag-run", params={"dag_id": "adapt_model", "run_id": "manual__1"})
    assert (answer.status_code, answer.headers["location"]) == (307, "/acclimate/runs/a/reports/run.html")
    assert client.get("/runs/a/reports/run.html").text == "<h1>report</h1>"


def test_nothing_that_is_served_may_run_a_script_or_load_anything(client: TestClient, run: Path) -> None:
    (run / "reports/run.html").write_text("<script>alert(1)</script>")
    for address in (
        "/",
        "/runs/a/reports/run.html",
        "/runs/a/artifacts/validate/data_docs/index.html",
        "/runs/none/reports/run.html",
    ):
        headers = client.get(address).headers
        assert headers["content-security-policy"] == POLICY
        assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in POLICY
    assert "script-src" not in POLICY


def test_without_a_report_the_page_says_what_writes_it(client: TestClient, run: Path) -> None:
    answer = client.get("/runs/a/reports/run.html")
    assert answer.status_code == 200
    assert "No report yet" in answer.text


def test_before_the_first_task_has_run_the_page_says_so(client: TestClient, checkout: Path) -> None:
    answer = client.get("/dag-run", params={"dag_id": "adapt_data", "run_id": "manual__2"})
    assert "No run yet" in answer.text


def test_the_data_docs_are_served_and_their_neighbours_are_not(client: TestClient, run: Path) -> None:
    assert client.get("/runs/a/artifacts/validate/data_docs/static/records.html").text == "<h1>records</h1>"
    outside = [
        "artifacts/validate/data_docs/../rejected.html",
        "artifacts/validate/data_docs/%2e%2e/rejected.html",
        "artifacts/validate/data_docs/..%2frejected.html",
        "artifacts/validate/data_docs//etc/passwd",
        "artifacts/validate/data_docs",
        "reports/run.html%2f..%2f..%2fparams.yaml",
        "artifacts/validate/rejected.html",
        "artifacts/validate/data_docs_of_others/index.html",
        "run.html",
        "params.yaml",
        "",
    ]
    assert [client.get(f"/runs/a/{path}").status_code for path in outside] == [404] * len(outside)
    assert client.get("/runs/..%2f..%2fa/reports/run.html").status_code == 404


def test_without_a_report_the_page_leads_to_what_validate_found_in_a_batch_it_refused(
    client: TestClient, run: Path
) -> None:
    address = "/runs/a/reports/run.html"
    assert "refused" not in client.get(address).text
    docs = run / "artifacts/refused_batch/data_docs"
    docs.mkdir(parents=True)
    (docs / "index.html").write_text("<h1>half of it is gone</h1>")
    assert 'href="../artifacts/refused_batch/data_docs/index.html"' in client.get(address).text
    assert "half of it is gone" in client.get("/runs/a/artifacts/refused_batch/data_docs/index.html").text


def test_a_link_that_leads_out_of_the_run_is_not_followed(client: TestClient, run: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.html").write_text("secret")
    (run / "artifacts/validate/data_docs/link.html").symlink_to(tmp_path / "secret.html")
    assert client.get("/runs/a/artifacts/validate/data_docs/link.html").status_code == 404


def test_the_list_shows_verdicts_and_changes_as_text(client: TestClient, run: Path) -> None:
    (run / "reports/gate.json").write_text(json.dumps({"headline": "pass <b>+0.1</b>"}))
    text = client.get("/").text
    assert "pass &lt;b&gt;+0.1&lt;/b&gt;" in text
    assert "training.strategy: dora" in text
    assert 'href="/acclimate/runs/a/reports/run.html"' not in text
    (run / "reports/run.html").write_text("<h1>report</h1>")
    assert 'href="/acclimate/runs/a/reports/run.html"' in client.get("/").text
