"""What can be wrong with a request, and how it is told: a status, one word for programs, a sentence for people.

    {"error": "300 prompt tokens; at most 192 are allowed", "reason": "too_long"}

Below /v1 the same stands in OpenAI's form: {"error": {"message": …, "type": …, "param": null, "code": …}}.
"""

from __future__ import annotations

from typing import Any

from fastapi.responses import JSONResponse
from prometheus_client import Counter

REFUSED = Counter("acclimate_refusals_total", "Requests refused", ["reason"])


class RefusedError(Exception):
    """A request that is refused; subclasses say with which status and why in one word."""

    status = 500
    reason = "internal"
    retry_after: int | None = None
    """Seconds after which it is worth asking again."""


class NotReadyError(RefusedError):
    """Nobody answers here yet."""

    status, reason = 503, "not_ready"
    retry_after = 2


class UnknownModelError(RefusedError):
    """There is somebody to answer, but nobody of that name."""

    status, reason = 404, "model_not_found"


class TooLongError(RefusedError):
    """More tokens than the model was packaged for."""

    status, reason = 422, "too_long"


class ManyModelsError(RefusedError):
    """More models that are loaded on request than one batch may ask."""

    status, reason = 422, "many_models"


class TemplateError(RefusedError):
    """A conversation that the model's chat template does not take."""

    status, reason = 422, "template"


class FullError(RefusedError):
    """So many wait already that another would wait too long."""

    status, reason = 503, "full"


class GoneError(RefusedError):
    """The client hung up; nobody is sent this (the status is nginx's)."""

    status, reason = 499, "gone"


def said_of(fault: Exception) -> tuple[int, str, str]:
    """Status, reason and message of whatever ended a request."""
    if isinstance(fault, RefusedError):
        return fault.status, fault.reason, str(fault)
    if isinstance(fault, TimeoutError):
        return 504, "timeout", "the answer took longer than a request may"
    return 500, "internal", "the model failed; the endpoint's log says how"


def refusal(path: str, status: int, reason: str, message: str, retry_after: int | None = None) -> JSONResponse:
    """A refusal as it is sent and counted."""
    REFUSED.labels(reason).inc()
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return JSONResponse(body(path, status, reason, message), status_code=status, headers=headers)


def body(path: str, status: int, reason: str, message: str) -> dict[str, Any]:
    """What is sent of a refusal, in the form of the API that was asked."""
    if path.startswith("/v1/"):
        kind = "server_error" if status >= 500 else "invalid_request_error"
        return {"error": {"message": message, "type": kind, "param": None, "code": reason}}
    return {"error": message, "reason": reason}
