"""What the OpenAPI document at /openapi.json says can come instead of an answer: statuses, bodies, headers.

    @router.post("/generate", responses=refusals(*ASKING))

tests/serving/test_openapi.py holds the running service to it.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel

Responses = dict[int | str, dict[str, Any]]
"""What a route takes as `responses`: statuses, and what is said of each."""


class Refusal(BaseModel):
    """A refusal of the plain API."""

    error: str
    """For people."""
    reason: str
    """For programs, in one word."""


class OpenAIFault(BaseModel):
    """What was wrong, as OpenAI's clients read it."""

    message: str
    type: Literal["invalid_request_error", "server_error"]
    param: None
    code: str


class OpenAIRefusal(BaseModel):
    """A refusal below /v1."""

    error: OpenAIFault


WHEN = {
    400: "The body cannot be read.",
    401: "No valid key, and one is needed.",
    403: "The key has not the scope.",
    404: "Nobody and nothing of that name.",
    409: "The job is not finished.",
    411: "No Content-Length.",
    413: "The body is too long; it was not read.",
    415: "Not JSON.",
    422: "The request cannot be honoured; the message names the field and the numbers.",
    429: "The key is beyond its requests a minute or its tokens a day, or has as many jobs as it may.",
    500: "The model failed.",
    503: "No champion, or as many requests wait, or jobs are kept, as may.",
    504: "The answer took longer than a request may.",
}
KEYED = (401, 403, 429)
"""Of every request."""
SENT = (400, 411, 413, 415, 422, *KEYED)
"""Of a request with a body."""
ASKING = (404, *SENT, 500, 503, 504)
"""Of a request that a model is to answer."""

_RETRY = {"Retry-After": {"description": "Seconds after which to ask again.", "schema": {"type": "integer"}}}
_HEADERS: dict[int, Any] = {
    401: {"WWW-Authenticate": {"description": "Bearer", "schema": {"type": "string"}}},
    409: _RETRY,
    429: _RETRY,
    503: _RETRY,
}


def refusals(*statuses: int, openai: bool = False) -> Responses:
    """The entries of these statuses in `responses` of a route.

    Args:
        statuses: keys of WHEN.
        openai: whether the route is below /v1.
    """
    model = OpenAIRefusal if openai else Refusal
    return {status: _entry(model, status) for status in statuses}


def _entry(model: type[BaseModel], status: int) -> dict[str, Any]:
    headers = {name: {**header, "required": True} for name, header in _HEADERS.get(status, {}).items()}
    return {"model": model, "description": WHEN[status], **({"headers": headers} if headers else {})}
