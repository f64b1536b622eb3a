"""What ends a request early, with a model that writes until it is told to stop."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from acclimate.core.params import EndpointParams, load
from acclimate.serving.access import Access
from acclimate.serving.app import build, needed
from acclimate.serving.batching import Batcher
from acclimate.serving.generation import Completion, Row
from acclimate.serving.models import Model
from acclimate.serving.roster import Roster
from acclimate.serving.state import Packaged, Serving

BODY = {"prompt": "abc", "max_new_tokens": 4}
ROWS: list[Row] = []
GUARDRAILS = load(Path(__file__).parents[2] / "params.yaml").endpoint.guardrails


class Letters:
    """A tokenizer of one token per letter."""

    eos_token_id, pad_token_id, bos_token_id, chat_template = 0, 0, None, None

    def __call__(self, text: str, **_: Any) -> dict[str, list[int]]:
        return {"input_ids": [ord(letter) for letter in text]}

    def decode(self, tokens: list[int], **_: Any) -> str:
        return "".join(map(chr, tokens))


def endless(_: Model, rows: list[Row]) -> list[Completion]:
    ROWS.extend(rows)
    end = time.monotonic() + 10
    while not all(row.given_up for row in rows) and time.monotonic() < end:
        time.sleep(0.005)
    return [Completion("", 0, "length") for _ in rows]


def broken(_: Model, rows: list[Row]) -> list[Completion]:
    raise RuntimeError("secret words of somebody's prompt")


def toy(packaged: Packaged) -> Model:
    manifest = {"model": "m", "version": packaged.version, "max_prompt_tokens": 8, "max_new_tokens": 4}
    manifest |= {"prompt": "{question}", "sha256": "a" * 64}
    engine: Any = SimpleNamespace(ends=frozenset({0}), joins=False)
    return Model(manifest, engine, Letters())


async def served(complete: Callable[[Model, list[Row]], list[Completion]], **dials: Any) -> tuple[Any, Roster, Any]:
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
    params = EndpointParams(**{**settings, "guardrails": GUARDRAILS, **dials})
    app = build(params, None, Path())
    app.state.batcher, app.state.roster = Batcher(complete, params.most_waiting), Roster(toy)
    await app.state.roster.bring(Serving(champion=Packaged(version="1", folder=Path(), sha256="")))
    return Access(app, None), app.state.roster, asyncio.create_task(app.state.batcher.run())


async def ask(
    app: Any, path: str = "/api/v1/generate", body: Any = None, *, hang_up: asyncio.Event | None = None
) -> tuple[int, dict[bytes, bytes], bytes]:
    """Status, headers and body; the client hangs up when the event is set."""
    sent: list[Any] = []
    coming = [{"type": "http.request", "body": json.dumps(BODY if body is None else body).encode()}]

    async def _receive() -> Any:
        if coming:
            return coming.pop()
        await (hang_up or asyncio.Event()).wait()
        return {"type": "http.disconnect"}

    async def _send(message: Any) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": path, "headers": headers, "query_string": b""}
    try:
        await app({**scope, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2)}, _receive, _send)
    except RuntimeError:
        assert sent, "what the model raised goes to the log, after the client was answered"
    return sent[0]["status"], dict(sent[0]["headers"]), b"".join(part.get("body", b"") for part in sent[1:])


def echo(model: Model, rows: list[Row]) -> list[Completion]:
    return [Completion(model.text(row.prompt.tokens), len(row.prompt.tokens), "stop") for row in rows]


@pytest.fixture(autouse=True)
def no_rows() -> None:
    ROWS.clear()


def test_when_its_time_is_up_a_request_is_told_so_and_written_for_no_more() -> None:
    async def scenario() -> None:
        app, roster, running = await served(endless, request_seconds=0.05)
        status, _, body = await ask(app)
        assert (status, json.loads(body)["reason"]) == (504, "timeout")
        assert [row.given_up for row in ROWS] == [True]
        assert roster.serves["champion"][1].users == 0
        stream = {"model": "m", "prompt": "abc", "stream": True}
        status, headers, body = await ask(app, "/v1/completions", stream)
        events = [json.loads(line.removeprefix("data: ")) for line in body.decode().split("\n\n") if "{" in line]
        assert (status, headers[b"content-type"]) == (200, b"text/event-stream; charset=utf-8")
        assert [event["error"]["code"] for event in events] == ["timeout"]
        assert body.endswith(b"data: [DONE]\n\n")
        running.cancel()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("path", "body"), [("/api/v1/generate", BODY), ("/v1/completions", {"model": "m", "prompt": "abc", "stream": True})]
)
def test_who_hangs_up_is_written_for_no_more(path: str, body: Any) -> None:
    async def scenario() -> None:
        app, roster, running = await served(endless)
        gone = asyncio.Event()
        asking = asyncio.create_task(ask(app, path, body, hang_up=gone))
        while not ROWS:
            await asyncio.sleep(0.005)
        assert roster.serves["champion"][1].users == 1
        gone.set()
        await asking
        assert [row.given_up for row in ROWS] == [True]
        assert roster.serves["champion"][1].users == 0
        running.cancel()

    asyncio.run(scenario())


def test_a_model_that_fails_is_told_without_its_words() -> None:
    async def scenario() -> None:
        app, _, running = await served(broken)
        status, _, body = await ask(app)
        assert (status, json.loads(body)["reason"]) == (500, "internal")
        assert b"secret" not in body
        running.cancel()

    asyncio.run(scenario())


def test_when_too_many_wait_the_next_is_told_when_to_come_again() -> None:
    async def scenario() -> None:
        app, _, running = await served(endless, most_waiting=1)
        gone = asyncio.Event()
        waiting = [asyncio.create_task(ask(app, hang_up=gone)) for _ in range(2)]  # one is written for, one waits
        while not ROWS:
            await asyncio.sleep(0.005)
        late = asyncio.create_task(ask(app, hang_up=gone))
        await asyncio.sleep(0.05)
        many = await ask(app, "/api/v1/generate/batch", {"requests": [BODY] * 4})
        assert (many[0], many[1][b"retry-after"], json.loads(many[2])["reason"]) == (503, b"1", "full")
        gone.set()
        await asyncio.gather(*waiting, late)
        assert all(row.given_up for row in ROWS)
        running.cancel()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("path", "given"),
    [
        ("/api/v1/generate", {"prompt": "\ud800"}),
        ("/api/v1/generate", {"prompt": "a", "\ud800": 1}),
        ("/api/v1/generate/batch", {"requests": [{"prompt": "a", "stop": "\ud800"}]}),
        ("/v1/completions", {"model": "m", "prompt": "a", "user": "\ud800"}),
        ("/v1/chat/completions", {"model": "m", "messages": [{"role": "user", "content": "\ud800"}]}),
        ("/v1/chat/completions", {"model": "m", "messages": [{"role": "user", "content": "a", "\ud800": 1}]}),
        (
            "/v1/chat/completions",
            {"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": "\ud800"}]}]},
        ),
    ],
)
def test_half_a_character_is_refused(path: str, given: Any) -> None:
    async def scenario() -> None:
        app, _, running = await served(echo)
        status, _, body = await ask(app, path, given)
        assert status == 422, body
        running.cancel()

    asyncio.run(scenario())


@pytest.mark.parametrize("stream", [False, True])
def test_what_was_answered_while_the_process_stood_still_is_given_though_the_time_is_up(stream: bool) -> None:
    begun, go_on, answered = threading.Event(), threading.Event(), threading.Event()

    def complete(model: Model, rows: list[Row]) -> list[Completion]:
        begun.set()
        go_on.wait(20)
        done = [Completion("abc", 3, "stop") for _ in rows]
        for row, completion in zip(rows, done, strict=True):
            assert row.over is not None
            row.over(completion)
        answered.set()
        return done

    async def scenario() -> None:
        app, _, running = await served(complete, request_seconds=0.5)
        path = "/v1/completions" if stream else "/api/v1/generate"
        asking = asyncio.create_task(
            ask(app, path, {"model": "m", "prompt": "abc", "stream": True} if stream else BODY)
        )
        while not begun.is_set():
            await asyncio.sleep(0.005)
        go_on.set()
        # Nothing runs on the event loop from here on, until the answer is there and its time is up.
        answered.wait(20)
        time.sleep(0.6)
        status, _, body = await asking
        assert (status, b"timeout" in body) == (200, False), body
        running.cancel()

    asyncio.run(scenario())


def test_where_what_runs_beside_the_requests_fails_the_process_ends() -> None:
    told: list[int] = []

    async def fails() -> None:
        raise KeyError("what nobody thought of")

    async def scenario() -> None:
        needed(asyncio.sleep(0))
        needed(asyncio.sleep(20)).cancel()
        await asyncio.sleep(0.01)
        assert told == [], "what has done its work, or is cancelled, is no fault"
        await asyncio.wait({needed(fails())})
        await asyncio.sleep(0)

    before = signal.signal(signal.SIGTERM, lambda number, _: told.append(number))
    try:
        asyncio.run(scenario())
    finally:
        signal.signal(signal.SIGTERM, before)
    assert told == [signal.SIGTERM]
