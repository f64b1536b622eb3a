"""A line per request that says how it went, and another that says who asked; neither says what.

    access.jsonl    {"id": "5f0c…", "time": "2026-11-21T18:02:11.402+00:00", "method": "POST",
                     "path": "/api/v1/generate", "status": 200, "role": "champion", "version": "3", "latency_s": 0.0841,
                     "prompt_tokens": 15, "new_tokens": 12, "finish_reason": "stop"}
    audit.jsonl     {"time": …, "id": "5f0c…", "key": "7f3a91c2", "client": "127.0.0.1", "method": "POST", "path": …,
                     "status": 200, "version": "3", "prompt_tokens": 15, "new_tokens": 12}

Role and version are null where no model was asked. Where guard rails found something the audit has how often, by kind:
"guarded": {"pii_in.email": 1, "injection.override": 1}.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from prometheus_client import Counter as Total
from prometheus_client import Gauge, Histogram

from acclimate.serving.places import Places, append

UNLOGGED = ("/api/v1/health", "/metrics", "/livez", "/readyz")
"""Asked by machines every few seconds, of no model."""
GONE = 499
"""Status in the log of a request whose client hung up; nobody is sent it (nginx's convention)."""
SAFE = {
    b"x-content-type-options": b"nosniff",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"referrer-policy": b"no-referrer",
    b"cache-control": b"no-store",
}
"""Headers of every answer: it is data, for whoever asked, and nothing of it is a page."""

FINISHED = Total("acclimate_requests_total", "Requests finished", ["status", "role", "version"])
SECONDS = Histogram("acclimate_request_seconds", "Seconds until a model's answer was whole", ["role", "version"])
BEGUN = Gauge("acclimate_requests_in_progress", "Requests begun and not finished", multiprocess_mode="livesum")


@dataclass
class Told:
    """What the handler of a request tells of it; in `scope["acclimate"]`."""

    id: str
    key: str | None = None
    role: str | None = None
    version: str | None = None
    prompt_tokens: int | None = None
    new_tokens: int | None = None
    finish_reason: str | None = None
    status: int | None = None
    """What became of a stream after its status was sent; None: nothing else."""
    guarded: Counter[str] = field(default_factory=Counter)
    """What guard rails found, and how often."""


class Access:
    """ASGI middleware: gives every request an id, and logs and counts it when it is finished."""

    def __init__(self, app: Any, places: Places | None) -> None:
        self.app = app
        self.places = places

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass the request on; its id is in the header X-Request-Id of the answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        told = Told(uuid.uuid4().hex)
        scope["acclimate"] = told
        started, status, noted = time.perf_counter(), 500, False

        def _note_once() -> None:
            nonlocal noted
            if not noted:
                noted = True
                BEGUN.dec()  # at once with being counted as finished, so that both together are who has come
                self._note(scope, told, told.status or status, time.perf_counter() - started)

        async def _send(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": _headers(message["headers"], told.id)}
            try:
                if message["type"] == "http.response.body" and not message.get("more_body", False):
                    _note_once()  # whoever holds a whole answer finds it in the log
            finally:
                await send(message)  # a disk that is full costs nobody an answer

        BEGUN.inc()
        try:
            await self.app(scope, receive, _send)
        except asyncio.CancelledError:
            status = GONE
            raise
        finally:
            _note_once()

    def _note(self, scope: Any, told: Told, status: int, seconds: float) -> None:
        FINISHED.labels(status, told.role or "", told.version or "").inc()
        if told.role:
            SECONDS.labels(told.role, told.version).observe(seconds)
        if self.places is None or scope["path"] in UNLOGGED:
            return
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        asked = {"method": scope["method"], "path": scope["path"], "status": status}
        tokens = {"prompt_tokens": told.prompt_tokens, "new_tokens": told.new_tokens}
        went = {"role": told.role, "version": told.version, "latency_s": round(seconds, 4)}
        how = {"id": told.id, "time": at, **asked, **went, **tokens, "finish_reason": told.finish_reason}
        append(self.places.access, how)
        client = (scope.get("client") or ("",))[0]
        who = {"time": at, "id": told.id, "key": told.key, "client": client}
        guarded = {"guarded": dict(told.guarded)} if told.guarded else {}
        append(self.places.audit, {**who, **asked, "version": told.version, **tokens, **guarded})


def _headers(given: list[tuple[bytes, bytes]], identity: str) -> list[tuple[bytes, bytes]]:
    """Those of the answer, with those that make it safe where it has none of its own, and the request's id."""
    names = {name.lower() for name, _ in given}
    safe = [(name, value) for name, value in SAFE.items() if name not in names]
    return [*given, *safe, (b"x-request-id", identity.encode())]
