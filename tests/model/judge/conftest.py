"""Scripted judges: real HTTP servers on loopback that answer as a function says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from acclimate.core.params import Juror

Answer = Callable[[str], str | int]
"""From a prompt to what the model says, or to the status with which the server refuses."""
Scripted = Callable[..., Juror]


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    """scripted("a", answer): a juror whose endpoint answers so, 100 tokens for 10; `asked` takes what it was asked."""
    servers = []

    def start(name: str, answer: Answer, asked: list[dict[str, Any]] | None = None, **settings: Any) -> Juror:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if asked is not None:
                    asked.append({"key": self.headers.get("Authorization"), **body})
                said = answer(body["messages"][0]["content"])
                self.send_response(said if isinstance(said, int) else 200)
                self.end_headers()
                usage = {"prompt_tokens": 100, "completion_tokens": 10}
                reply = {"choices": [{"message": {"role": "assistant", "content": said}}], "usage": usage}
                self.wfile.write(json.dumps(reply).encode())

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        given = {"model": f"model-{name}", "timeout_seconds": 5, "retries": 0, **settings}
        return Juror(name=name, endpoint=f"http://127.0.0.1:{server.server_port}/v1", **given)

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def places(prompt: str) -> tuple[str, str]:
    """The answers that a prompt shows, first and second."""
    first, second = (re.search(rf"<answer_{n}>\n(.*?)\n</answer_{n}>", prompt, re.DOTALL) for n in (1, 2))
    assert first
    assert second
    return first[1], second[1]


def longer(prompt: str) -> str:
    """A judge that holds the longer answer for the better one, wherever it stands."""
    first, second = places(prompt)
    better = "1" if len(first) > len(second) else "2" if len(second) > len(first) else "tie"
    return f'Let me see. {{"correctness": "{better}"}}'
