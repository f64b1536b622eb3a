"""The few calls to Airflow's REST API that the demo and the service start-up need.

The command-line client takes 12 s a call, almost all of it imports; an HTTP call takes milliseconds.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from typing import Any

from acclimate.core.errors import UserError

TOKEN_SECONDS = 3600.0
"""How long a token is used before a new one is asked for; Airflow's own lifetime is a day."""


@dataclass
class AirflowApi:
    """A logged-in client of one Airflow."""

    url: str
    password: str
    user: str = "admin"
    _token: str = field(default="", repr=False)
    _token_until: float = 0.0

    def get(self, path: str, **query: Any) -> Any:
        """GET /api/v2/<path>."""
        suffix = f"?{urllib.parse.urlencode(query)}" if query else ""
        return self._call("GET", f"/api/v2/{path}{suffix}", None)

    def send(self, method: str, path: str, body: dict[str, Any]) -> Any:
        """POST, PATCH or PUT a JSON body to /api/v2/<path>."""
        return self._call(method, f"/api/v2/{path}", body)

    def trigger(self, dag: str, conf: dict[str, Any]) -> str:
        """Start a run of a DAG with the trigger form's answers and return its run id."""
        run: dict[str, Any] = self.send("POST", f"dags/{dag}/dagRuns", {"logical_date": None, "conf": conf})
        return str(run["dag_run_id"])

    def run(self, dag: str, run_id: str) -> dict[str, Any]:
        """One DAG run."""
        found: dict[str, Any] = self.get(f"dags/{dag}/dagRuns/{quote(run_id)}")
        return found

    def tasks(self, dag: str, run_id: str) -> list[dict[str, Any]]:
        """The task instances of a DAG run."""
        found: list[dict[str, Any]] = self.get(f"dags/{dag}/dagRuns/{quote(run_id)}/taskInstances", limit=100)[
            "task_instances"
        ]
        return found

    def ensure_pools(self, pools: dict[str, int]) -> None:
        """Create the pools that are not there yet; a pool somebody resized stays as it is."""
        existing = {pool["name"] for pool in self.get("pools", limit=100)["pools"]}
        for name, slots in pools.items():
            if name not in existing:
                self.send("POST", "pools", {"name": name, "slots": slots, "description": "created by acclimate up"})

    def page(self, path: str, **query: Any) -> str:
        """A page of a plugin, as text."""
        return self._authorised("GET", f"{path}?{urllib.parse.urlencode(query)}", None).decode()

    def _call(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        content = self._authorised(method, path, body)
        return json.loads(content) if content else None

    def _authorised(self, method: str, path: str, body: dict[str, Any] | None) -> bytes:
        if time.monotonic() > self._token_until:
            login = {"username": self.user, "password": self.password}
            self._token = json.loads(self._request("POST", "/auth/token", login, {}))["access_token"]
            self._token_until = time.monotonic() + TOKEN_SECONDS
        return self._request(method, path, body, {"Authorization": f"Bearer {self._token}"})

    def _request(self, method: str, path: str, body: dict[str, Any] | None, headers: dict[str, str]) -> bytes:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path, data=data, method=method, headers={"Content-Type": "application/json", **headers}
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                content: bytes = response.read()
                return content
        except urllib.error.HTTPError as fault:
            detail = fault.read().decode(errors="replace")[:400]
            raise UserError(
                f"Airflow answered {fault.code} to {method} {path}: {detail}",
                why="the pipeline cannot be started or followed",
                fix="see .acclimate/logs/airflow-api-server.log",
            ) from None


def quote(run_id: str) -> str:
    """A run id as one path segment: it holds colons and pluses."""
    return urllib.parse.quote(run_id, safe="")
