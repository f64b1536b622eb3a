"""Clients for bench/soak.py: each kind of request that reaches an endpoint, good and bad, and what has to come of it.

    KINDS["malformed"].ask(port, chance)      # raises WrongError if what comes back is not what should

What is sent follows from the random numbers alone.
"""

from __future__ import annotations

import http.client
import json
import random
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from serve_model import prompts

ANSWER_SECONDS = 120.0
SLOW_SECONDS = 4.0
JSON = {"Content-Type": "application/json"}


class WrongError(Exception):
    """An answer that should not have come."""


@dataclass(frozen=True)
class Kind:
    """How often it is asked, and how."""

    share: int
    """In a hundred requests."""
    ask: Callable[[int, random.Random], str | None]
    """Sends one to the port; returns a job's id, where it was acknowledged."""


def _exchange(port: int, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def _require(status: int, said: bytes, *wanted: int) -> None:
    if status not in wanted:
        raise WrongError(f"status {status}, not {' or '.join(map(str, wanted))}: {said[:200]!r}")


def _question(chance: random.Random) -> dict[str, Any]:
    return {"prompt": chance.choice(prompts()), "max_new_tokens": chance.randint(1, 16)}


def plain(port: int, chance: random.Random) -> None:
    """A whole answer."""
    asked = _question(chance)
    status, said = _exchange(port, "POST", "/api/v1/generate", json.dumps(asked).encode(), JSON)
    _require(status, said, 200)
    if json.loads(said)["new_tokens"] > asked["max_new_tokens"]:
        raise WrongError("more was written than asked for")


def batch(port: int, chance: random.Random) -> None:
    """Several answers at once."""
    asked = {"requests": [_question(chance) for _ in range(chance.randint(2, 8))]}
    status, said = _exchange(port, "POST", "/api/v1/generate/batch", json.dumps(asked).encode(), JSON)
    _require(status, said, 200)
    if len(json.loads(said)["answers"]) != len(asked["requests"]):
        raise WrongError("a batch came back with another number of answers")


def _chat(chance: random.Random) -> dict[str, Any]:
    messages = [{"role": "user", "content": chance.choice(prompts())}]
    return {"model": "champion", "messages": messages, "max_tokens": chance.randint(4, 24), "stream": True}


def streamed(port: int, chance: random.Random) -> None:
    """A stream, read to its end."""
    status, said = _exchange(port, "POST", "/v1/chat/completions", json.dumps(_chat(chance)).encode(), JSON)
    _require(status, said, 200)
    if not said.endswith(b"data: [DONE]\n\n") or b'"error"' in said:
        raise WrongError(f"a stream ended with {said[-200:]!r}")


def job(port: int, chance: random.Random) -> str:
    """A job; its id."""
    asked = {"requests": [_question(chance) for _ in range(chance.randint(2, 10))]}
    status, said = _exchange(port, "POST", "/api/v1/jobs", json.dumps(asked).encode(), JSON)
    _require(status, said, 202)
    return str(json.loads(said)["id"])


def malformed(port: int, chance: random.Random) -> None:
    """What is no request; refused with its status."""
    good = json.dumps(_question(chance)).encode()
    # path, body, headers, and what is right to say of it
    tried: list[tuple[str, bytes, dict[str, str], int]] = [
        ("/api/v1/generate", good[: chance.randint(1, len(good) - 1)], JSON, 422),
        ("/api/v1/generate", chance.randbytes(200), JSON, 400),
        ("/api/v1/generate", good, {"Content-Type": "application/vnd.bentoml+pickle"}, 415),
        ("/api/v1/generate", good.replace(b"prompt", b"promt"), JSON, 422),
        ("/v1/chat/completions", b'{"model": "champion", "messages": []}', JSON, 422),
        ("/v1/completions", b'{"model": "gpt-4", "prompt": "a"}', JSON, 404),
        ("/api/v1/no-such-path", good, JSON, 404),
        ("/api/v1/generate", b"[" * chance.randint(1000, 100_000), JSON, 400),
    ]
    path, body, headers, wanted = chance.choice(tried)
    status, said = _exchange(port, "POST", path, body, headers)
    # Bytes that are cut or drawn may break the characters or the JSON, and are refused for whichever it is.
    _require(status, said, *{wanted, 400, 422} if wanted in (400, 422) else {wanted})


def garbage(port: int, chance: random.Random) -> None:
    """Bytes that are no HTTP: an answer of 400, or none."""
    with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS) as connection:
        connection.sendall(chance.randbytes(300) + b"\r\n\r\n")
        said = connection.recv(4096)
    if said and b" 400 " not in said.split(b"\r\n", maxsplit=1)[0]:
        raise WrongError(f"garbage was answered {said[:200]!r}")


def oversize(port: int, chance: random.Random) -> None:
    """A body, or a prompt, longer than may be."""
    if chance.random() < 0.5:
        body = json.dumps({"prompt": "x" * (1 << 18)}).encode()
        status, said = _exchange(port, "POST", "/api/v1/generate", body, JSON)
        _require(status, said, 413)
    else:
        body = json.dumps({"prompt": "word " * chance.randint(2000, 20_000)}).encode()
        status, said = _exchange(port, "POST", "/api/v1/generate", body, JSON)
        _require(status, said, 422)


def slow(port: int, chance: random.Random) -> None:
    """A request that takes seconds to arrive; answered like any other, or left in the middle."""
    body = json.dumps(_question(chance)).encode()
    head = f"POST /api/v1/generate HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    sent, leaves = f"{head}\r\nConnection: close\r\n\r\n".encode() + body, chance.random() < 0.3
    with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS) as connection:
        for start in range(0, len(sent), 20):
            if leaves and start > len(sent) // 2:
                return
            connection.sendall(sent[start : start + 20])
            time.sleep(SLOW_SECONDS * 20 / len(sent))
        said = b"".join(iter(lambda: connection.recv(4096), b""))
    _require(int(said.split(maxsplit=2)[1]), said, 200)


def gone(port: int, chance: random.Random) -> None:
    """A client that hangs up: before the answer, or in the middle of a stream."""
    body = json.dumps(_chat(chance)).encode()
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: "
    with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS) as connection:
        connection.sendall(f"{head}{len(body)}\r\n\r\n".encode() + body)
        if chance.random() < 0.5:
            said = connection.recv(100)
            _require(int(said.split(maxsplit=2)[1]), said, 200)


KINDS = {
    "whole": Kind(46, plain),
    "stream": Kind(14, streamed),
    "batch": Kind(6, batch),
    "job": Kind(4, job),
    "malformed": Kind(12, malformed),
    "garbage": Kind(3, garbage),
    "oversize": Kind(5, oversize),
    "slow": Kind(2, slow),
    "hung up": Kind(8, gone),
}
