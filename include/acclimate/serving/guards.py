"""What is refused before anybody looks at it: whatever is not a short JSON body."""

from __future__ import annotations

from typing import Any

from fastapi.responses import JSONResponse

from acclimate.serving.faults import refusal
from acclimate.serving.places import JOBS

BODY_BYTES = 1 << 18
"""A longer body is refused unread; prompts are limited in tokens, which are a few bytes each."""
JOB_BODY_BYTES = 1 << 22
"""Of a job, which may have many of them."""


class JsonOnly:
    """ASGI middleware: a body must be declared as JSON and be short, or it is not read; a path is printed on a line."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass the request on, or answer 404, 411, 413 or 415."""
        fault = None
        if scope["type"] == "http" and any(character < " " for character in scope["path"]):
            # Routes do not match a line's end; BentoML would answer for us, and not in JSON.
            fault = refusal(scope["path"], 404, "not_found", "there is no such path")
        elif scope["type"] == "http" and scope["method"] not in ("GET", "HEAD"):
            fault = _fault(
                scope["path"], {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
            )
        if fault is None:
            await self.app(scope, receive, send)
        else:
            await fault(scope, receive, send)


def _fault(path: str, headers: dict[str, str]) -> JSONResponse | None:
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    length = headers.get("content-length", "")
    if length in ("", "0") and "transfer-encoding" not in headers:
        return None  # there is no body (RFC 9112, 6.3); whoever wants one says that it is missing
    if media_type != "application/json":
        return refusal(path, 415, "content_type", f"Content-Type is {media_type or 'missing'!r}; send application/json")
    if not length.isdigit():
        return refusal(path, 411, "length", "Content-Length is missing; send the body in one piece")
    most = JOB_BODY_BYTES if path == JOBS else BODY_BYTES
    if int(length) > most:
        return refusal(path, 413, "too_large", f"the body has {length} bytes; at most {most} are read")
    return None
