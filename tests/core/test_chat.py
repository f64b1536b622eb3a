"""Bounded asking, against a scripted server on loopback."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from acclimate.core import chat
from acclimate.core.params import ChatModel

OK = json.dumps({"choices": [{"message": {"content": "hello"}}], "usage": {"prompt_tokens": 7, "completion_tokens": 2}})


@pytest.fixture
def script() -> list[tuple[int, str]]:
    """Status and body of each answer in turn; the last is repeated. 0 ends the connection without one."""
    return []


@pytest.fixture
def asked() -> list[str]:
    return []


@pytest.fixture
def model(script: list[tuple[int, str]], asked: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatModel]:
    monkeypatch.setattr(chat, "FIRST_PAUSE_SECONDS", 0.01)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            asked.append(self.path)
            status, body = script[min(len(asked), len(script)) - 1]
            if status == 0:
                self.close_connection = True
                return
            self.send_response(status)
            self.end_headers()
            if body == "drip":
                for _ in range(40):
                    self.wfile.write(b" ")
                    time.sleep(0.1)
            self.wfile.write(body.encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield ChatModel(endpoint=f"http://127.0.0.1:{server.server_port}/v1", model="m", timeout_seconds=1, retries=2)
    server.shutdown()
    server.server_close()


def ask(model: ChatModel) -> chat.Said:
    return chat.ask(model, "hi", key=None, max_tokens=5)


def test_an_answer_comes_with_its_tokens(model: ChatModel, script: list[tuple[int, str]]) -> None:
    script.append((200, OK))
    assert ask(model) == chat.Said("hello", 7, 2, 1)


@pytest.mark.parametrize("fault", [429, 500, 503, 0])
def test_what_may_pass_is_tried_again(model: ChatModel, script: list[tuple[int, str]], fault: int) -> None:
    script += [(fault, ""), (fault, ""), (200, OK)]
    assert ask(model).tries == 3


@pytest.mark.parametrize(("fault", "tries"), [(503, 3), (401, 1), (404, 1), (302, 1)])
def test_tries_are_bounded_and_a_refusal_is_final(
    model: ChatModel, script: list[tuple[int, str]], asked: list[str], fault: int, tries: int
) -> None:
    script.append((fault, ""))
    with pytest.raises(chat.NoAnswerError, match=f"it answered {fault}"):
        ask(model)
    assert len(asked) == tries


def test_an_answer_that_comes_drop_by_drop_is_given_up(model: ChatModel, script: list[tuple[int, str]]) -> None:
    script.append((200, "drip"))
    begun = time.monotonic()
    with pytest.raises(chat.NoAnswerError, match="did not end in time"):
        ask(model.model_copy(update={"retries": 0}))
    assert time.monotonic() - begun < 3


def test_an_answer_without_usage_costs_nothing_that_is_known(model: ChatModel, script: list[tuple[int, str]]) -> None:
    script.append((200, json.dumps({"choices": [{"message": {"content": "x"}}]})))
    assert (ask(model).prompt_tokens, ask(model).completion_tokens) == (0, 0)
