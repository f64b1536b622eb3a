from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from acclimate.core.params import EndpointParams, load
from acclimate.release import api_keys
from acclimate.release.roles import places
from acclimate.serving.access import Access
from acclimate.serving.admission import Admission


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The endpoint's folder in an ACCLIMATE_HOME of its own."""
    monkeypatch.setenv("ACCLIMATE_HOME", str(tmp_path))
    folder = tmp_path / ".acclimate/endpoint"
    folder.mkdir(parents=True)
    return folder


async def application(scope: Any, _receive: Any, send: Any) -> None:
    scope["acclimate"].prompt_tokens = 10
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


def endpoint(**dials: Any) -> Any:
    settings = {
        "request_seconds": 60.0,
        "most_waiting": 9,
        "drain_seconds": 5.0,
        "keys": "auto",
        "log_prompts": True,
        "most_adapters": 1,
        "engine": "transformers",
        "base_below": None,
    }
    settings |= {"requests_per_minute": None, "tokens_per_day": None, "cors_origins": []}
    settings |= {"jobs": {"most": 9, "most_per_key": 9, "requests": 9, "hours": 1.0}}
    settings |= {"guardrails": load(Path(__file__).parents[2] / "params.yaml").endpoint.guardrails}
    return Access(Admission(application, EndpointParams(**{**settings, **dials}), places()), places())


def ask(
    served: Any, key: str | None = None, *, method: str = "POST", path: str = "/v1/completions", at: str = "127.0.0.1"
) -> tuple[int, dict[str, str], Any]:
    """Status, headers and body of a request that arrives at the address `at`."""
    sent: list[Any] = []

    async def _send(message: Any) -> None:
        sent.append(message)

    async def _receive() -> Any:
        return {"type": "http.request", "body": b""}

    headers = [] if key is None else [(b"authorization", f"Bearer {key}".encode())]
    scope = {"type": "http", "method": method, "path": path, "headers": headers, "server": (at, 3000)}
    asyncio.run(served({**scope, "client": ("192.0.2.7", 5)}, _receive, _send))
    told = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], told, json.loads(sent[1]["body"])


def test_from_this_machine_no_key_is_needed_unless_it_is_required() -> None:
    assert ask(endpoint())[0] == 200
    assert ask(endpoint(), key="none")[0] == 200, "OpenAI's client sends something always"
    status, headers, body = ask(endpoint(keys="required"))
    assert (status, headers["www-authenticate"]) == (401, "Bearer")
    assert body["error"]["message"].startswith("this endpoint asks for a key")


def test_from_elsewhere_a_key_is_needed_and_a_wrong_one_is_refused_everywhere() -> None:
    served, key = endpoint(), api_keys.create("one")
    assert ask(served, at="192.0.2.1")[0] == 401
    assert ask(served, key, at="192.0.2.1")[0] == 200
    assert ask(served, key[:-1], at="192.0.2.1")[0] == 401
    assert ask(served, key[:-1])[0] == 401
    assert ask(served, path="/livez", method="GET", at="192.0.2.1")[0] == 200


def test_a_key_is_good_for_its_scopes() -> None:
    served, reads, asks = endpoint(), api_keys.create("r", scopes=("read",)), api_keys.create("g", scopes=("generate",))
    assert [ask(served, key)[0] for key in (reads, asks)] == [403, 200]
    assert [ask(served, key, method="GET", path="/metrics")[0] for key in (reads, asks)] == [200, 403]


def test_beyond_its_limits_a_key_is_told_when_to_come_again() -> None:
    served = endpoint(requests_per_minute=1)
    usual, own = api_keys.create("usual"), api_keys.create("own", requests_per_minute=2)
    assert [ask(served, usual)[0] for _ in range(2)] == [200, 429]
    assert [ask(served, own)[0] for _ in range(2)] == [200, 200]
    status, headers, body = ask(served, usual)
    assert (status, headers["retry-after"]) == (429, "60")
    assert "may make 1 requests a minute and any number of tokens a day; ask again in 60 s" in body["error"]["message"]


def test_the_tokens_of_a_day_run_out_and_stay_so_after_a_restart() -> None:
    key = api_keys.create("one", tokens_per_day=15)
    assert [ask(endpoint(), key)[0] for _ in range(3)] == [200, 200, 429]


def test_the_audit_says_who_and_how_much_and_the_access_log_does_not_say_who(folder: Path) -> None:
    key = api_keys.create("one")
    status, headers, _ = ask(endpoint(), key)
    audit, access = (json.loads((folder / f"{name}.jsonl").read_text()) for name in ("audit", "access"))
    assert (audit["key"], audit["client"], audit["prompt_tokens"]) == (key.split("_")[1], "192.0.2.7", 10)
    assert audit["id"] == access["id"] == headers["x-request-id"]
    assert not {"key", "client"} & set(access)
    assert (access["status"], status) == (200, 200)


def test_every_answer_says_that_it_is_data() -> None:
    _, headers, _ = ask(endpoint())
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
