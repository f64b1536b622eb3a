"""A line per request that says how it went, and nothing of what was asked or by whom.

    {"id": "5f0c…", "time": "2026-11-21T18:02:11.402+00:00", "method": "POST", "path": "/generate", "status": 200,
     "role": "champion", "version": "3", "latency_s": 0.0841, "prompt_tokens": 15, "new_tokens": 12,
     "finish_reason": "stop"}

Role and version are null where no model was asked.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from acclimate.serving.places import Places, append

UNLOGGED = ("/api/v1/health", "/metrics", "/livez", "/readyz")
"""Asked by machines every few seconds, of no model."""
GONE = 499
"""Status in the log of a request whose client hung up; nobody is sent it (nginx's convention)."""


@dataclass
class Told:
    """What the handler of a request tells of it; in `scope["acclimate"]`."""

    id: str
    role: str | None = None
    version: str | None = None
    prompt_tokens: int | None = None
    new_tokens: int | None = None
    finish_reason: str | None = None
    status: int | None = None
    """What became of a stream after its status was sent; None: nothing else."""


class Access:
    """ASGI middleware: gives every request an id, and logs it when it is finished."""

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
        started, status = time.perf_counter(), 500

        async def _send(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message["headers"], (b"x-request-id", told.id.encode())]}
            await send(message)

        try:
            await self.app(scope, receive, _send)
        except asyncio.CancelledError:
            status = GONE
            raise
        finally:
            self._note(scope, told, status, time.perf_counter() - started)

    def _note(self, scope: Any, told: Told, status: int, seconds: float) -> None:
        if self.places is None or scope["path"] in UNLOGGED:
            return
        said = asdict(told)
        told_status = said.pop("status")
        row = {
            "id": said.pop("id"),
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            **{key: scope[key] for key in ("method", "path")},
            "status": told_status or status,
            "role": said.pop("role"),
            "version": said.pop("version"),
            "latency_s": round(seconds, 4),
            **said,
        }
        append(self.places.access, row)
