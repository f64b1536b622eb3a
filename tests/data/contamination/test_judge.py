"""The judge: a scripted endpoint on loopback, what it is sent and how its answers are read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from acclimate.core.errors import UserError
from acclimate.core.params.chat import ChatModel
from acclimate.data.contamination.judge import KEY, ask, parse

Serve = Callable[..., tuple[ChatModel, list[dict[str, Any]]]]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """serve(answer): an endpoint that says this, and what it was asked."""
    servers = []

    def start(answer: str, status: int = 200) -> tuple[ChatModel, list[dict[str, Any]]]:
        asked: list[dict[str, Any]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                asked.append({"path": self.path, "key": self.headers.get("Authorization"), **json.loads(body)})
                self.send_response(status)
                self.send_header("Location", "http://127.0.0.1:9/elsewhere")
                self.end_headers()
                self.wfile.write(answer.encode())

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return ChatModel(
            endpoint=f"http://127.0.0.1:{server.server_port}/v1/", model="small", timeout_seconds=5, retries=0
        ), asked

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def _completion(content: object) -> str:
    return json.dumps({"choices": [{"message": {"role": "assistant", "content": content}}]})


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ("yes", "yes"),
        (" Yes, it does.", "yes"),
        ("**No**", "no"),
        ("NO.", "no"),
        ("Nothing of the kind", "unparseable"),
        ("It depends: yes and no", "unparseable"),
        ("", "unparseable"),
        (None, "unparseable"),
    ],
)
def test_only_a_first_word_of_yes_or_no_is_an_answer(answer: object, verdict: str) -> None:
    assert parse(answer) == verdict


def test_the_endpoint_is_asked_at_temperature_0_with_the_key_of_the_environment(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY, "k-123")
    judge, asked = serve(_completion("yes"))
    assert ask(judge, "THE ITEM", "THE PASSAGE") == "yes"
    (question,) = asked
    assert (question["path"], question["model"], question["temperature"]) == ("/v1/chat/completions", "small", 0)
    assert question["key"] == "Bearer k-123"
    assert "THE ITEM" in question["messages"][0]["content"]
    assert "THE PASSAGE" in question["messages"][0]["content"]


@pytest.mark.parametrize(
    ("answer", "status", "problem"),
    [
        ("{}", 200, "is no chat completion"),
        ("<html>", 200, "is no chat completion"),
        ("{}", 401, "it answered 401"),
        # The key must not go along to wherever a redirect points.
        ("", 302, "it answered 302"),
    ],
)
def test_what_is_no_answer_stops_the_run_and_says_what_to_do(
    serve: Serve, answer: str, status: int, problem: str
) -> None:
    judge, _ = serve(answer, status)
    with pytest.raises(UserError, match=problem) as fault:
        ask(judge, "item", "passage")
    assert KEY in str(fault.value)


def test_an_endpoint_that_is_not_there_is_named() -> None:
    with pytest.raises(UserError, match="cannot be reached"):
        ask(ChatModel(endpoint="http://127.0.0.1:9/v1", model="m", timeout_seconds=2, retries=0), "item", "passage")
