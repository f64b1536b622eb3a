"""Jobs at a running service, which is killed in the middle of one."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

REQUESTS = [{"question": f"What does numpy.{'x' * (n % 9)} do?", "max_new_tokens": 16} for n in range(400)]


def call(running: Any, method: str, path: str, body: Any = None) -> tuple[int, Any, http.client.HTTPMessage]:
    """Status, body and headers."""
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)
    sent = {} if body is None else {"Content-Type": "application/json"}
    connection.request(method, path, None if body is None else json.dumps(body), sent)
    response = connection.getresponse()
    text = response.read()
    connection.close()
    return response.status, json.loads(text) if text else None, response.headers


def submit(running: Any, requests: Any) -> str:
    status, said, headers = call(running, "POST", "/api/v1/jobs", {"requests": requests})
    assert (status, said["requests"]) == (202, len(requests))
    assert headers["Location"] == f"/api/v1/jobs/{said['id']}"
    return str(said["id"])


def outcomes(running: Any, job: str) -> list[dict[str, Any]]:
    running.until(lambda: call(running, "GET", f"/api/v1/jobs/{job}")[1]["status"] == "finished", 240)
    status, said, _ = call(running, "GET", f"/api/v1/jobs/{job}/result")
    assert status == 200
    return list(said["outcomes"])


def test_a_job_survives_a_kill_and_has_the_result_that_it_would_have_had(
    served: Any, tmp_path: Path, start_endpoint: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed, home = served
    expected = outcomes(undisturbed, submit(undisturbed, REQUESTS))
    shutil.copytree(home / ".acclimate", tmp_path / ".acclimate")
    shutil.copyfile(home / "params.yaml", tmp_path / "params.yaml")
    shutil.rmtree(tmp_path / ".acclimate/endpoint")
    monkeypatch.setenv("ACCLIMATE_HOME", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)  # MLflow itself sets it to the last registry used
    with start_endpoint(tmp_path) as running:
        running.wait_for("1")
        job = submit(running, REQUESTS)
        running.until(lambda: call(running, "GET", f"/api/v1/jobs/{job}")[1]["done"] >= 8, 120)
        early, said, headers = call(running, "GET", f"/api/v1/jobs/{job}/result")
        assert (early, said["reason"], headers["Retry-After"]) == (409, "not_finished", "5")
        for child in below(running.process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        running.until(lambda: running.status("/api/v1/jobs/x") == 0)
        assert not (tmp_path / f".acclimate/endpoint/jobs/{job}/{len(REQUESTS) // 4 - 1:04}.json").exists()
        running.wait_for("1")
        got = outcomes(running, job)
        assert got == expected
        assert all(one["version"] == "1" for one in got)
        assert len(got) == len(REQUESTS)


def below(pid: int) -> set[int]:
    """All processes that the endpoint started."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def test_a_job_says_the_same_as_single_requests_and_is_gone_when_it_is_deleted(served: Any) -> None:
    endpoint, home = served
    job = submit(endpoint, REQUESTS[:3])
    assert outcomes(endpoint, job) == [endpoint.ask(**request)[1] for request in REQUESTS[:3]]
    folder = home / ".acclimate/endpoint/jobs"
    assert (folder / job).stat().st_mode & 0o077 == 0
    assert call(endpoint, "DELETE", f"/api/v1/jobs/{job}")[:2] == (204, None)
    assert call(endpoint, "GET", f"/api/v1/jobs/{job}")[1]["reason"] == "job_not_found"
    assert not (folder / job).exists()


@pytest.mark.parametrize(
    ("requests", "status", "told"),
    [
        ([], 422, "requests: "),
        ([{"prompt": "a", "question": "b"}], 422, "exactly one"),
        ([{"prompt": "a"}, {"prompt": "word " * 200}], 422, "requests.1: "),
        ([{"prompt": "a"}] * 1001, 422, "1001 requests; at most 1000"),
        ([{"prompt": "a", "model": "nobody"}], 404, "'nobody' is not served"),
        ([{"prompt": "a" * 5_000_000}], 413, "at most"),
    ],
)
def test_what_cannot_be_done_is_refused_as_a_whole(served: Any, requests: Any, status: int, told: str) -> None:
    endpoint, home = served
    jobs = home / ".acclimate/endpoint/jobs"
    before = set(jobs.iterdir()) if jobs.exists() else set()
    answered, said, _ = call(endpoint, "POST", "/api/v1/jobs", {"requests": requests})
    assert answered == status
    assert told in said["error"]
    assert (set(jobs.iterdir()) if jobs.exists() else set()) == before


def test_the_openapi_document_has_the_jobs(served: Any) -> None:
    endpoint, _ = served
    paths = endpoint.json("/openapi.json")["paths"]
    assert set(paths["/api/v1/jobs"]["post"]["responses"]) >= {"202", "404", "413", "422", "429", "503"}
    assert set(paths["/api/v1/jobs/{identity}"]) == {"get", "delete"}
    assert "409" in paths["/api/v1/jobs/{identity}/result"]["get"]["responses"]
