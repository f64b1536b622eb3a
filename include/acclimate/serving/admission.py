"""Who is let in: with a valid key, of the right scope, within its limits."""

from __future__ import annotations

import ipaddress
from typing import Any

from fastapi.responses import JSONResponse

from acclimate.core.params.endpoint import EndpointParams
from acclimate.serving.faults import refusal
from acclimate.serving.keys import MARK, Key, KeyRing
from acclimate.serving.limits import Limits, used_so_far
from acclimate.serving.places import JOBS, Places

OPEN = ("/livez", "/readyz")
"""What whoever keeps the process running asks; it says yes or no."""


class Admission:
    """ASGI middleware: a request without a key that it needs is answered 401, 403 or 429.

    Keys are needed where `endpoint.keys` says so, and where a request arrives from outside. A request from this
    machine needs none otherwise; one that shows a key is held to it.
    """

    def __init__(self, app: Any, settings: EndpointParams, places: Places | None, limits: Limits | None = None) -> None:
        self.app = app
        self.settings = settings
        self.ring = KeyRing(places)
        self.limits = limits or used_so_far(places)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass the request on, with its key in `scope["acclimate"].key`, or refuse it."""
        if scope["type"] != "http" or scope["path"] in OPEN:
            await self.app(scope, receive, send)
            return
        presented = _presented(scope)
        key = self.ring.find(presented)
        if fault := self._fault(scope, presented, key):
            await fault(scope, receive, send)
            return
        told = scope["acclimate"]
        told.key = key.id if key else None
        try:
            await self.app(scope, receive, send)
        finally:
            if key:
                self.limits.spend(key.id, (told.prompt_tokens or 0) + (told.new_tokens or 0))

    def _fault(self, scope: Any, presented: str, key: Key | None) -> JSONResponse | None:
        path = scope["path"]
        if key is None:
            if presented.startswith(f"{MARK}_") or self.settings.keys == "required" or not _from_here(scope):
                what = "this key is not known, or not any more" if presented else "this endpoint asks for a key"
                fault = refusal(path, 401, "key", f"{what}; send Authorization: Bearer {MARK}_…")
                fault.headers["WWW-Authenticate"] = "Bearer"
                return fault
            return None
        # What became of a job is for who may submit one.
        reads = scope["method"] in ("GET", "HEAD") and not path.startswith(JOBS)
        scope_needed = "read" if reads else "generate"
        if scope_needed not in key.scopes:
            return refusal(path, 403, "scope", f"key {key.id} has no scope {scope_needed!r}")
        return self._beyond(path, key)

    def _beyond(self, path: str, key: Key) -> JSONResponse | None:
        per_minute = key.requests_per_minute or self.settings.requests_per_minute
        per_day = key.tokens_per_day or self.settings.tokens_per_day
        seconds = self.limits.admit(key.id, per_minute=per_minute, per_day=per_day)
        if seconds is None:
            return None
        allowed = f"{per_minute or 'any number of'} requests a minute and {per_day or 'any number of'} tokens a day"
        return refusal(path, 429, "limit", f"key {key.id} may make {allowed}; ask again in {seconds} s", seconds)


def _presented(scope: Any) -> str:
    """What stands behind `Authorization: Bearer`; empty if there is nothing."""
    headers = dict(scope["headers"])
    kind, _, value = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    return value.strip() if kind.lower() == "bearer" else ""


def _from_here(scope: Any) -> bool:
    """Whether the request came to a loopback address: from this machine."""
    try:
        return ipaddress.ip_address((scope.get("server") or ("", 0))[0]).is_loopback
    except ValueError:
        return False
