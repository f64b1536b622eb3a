"""Asking the endpoint over HTTP: who it is, and what it says."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any

from acclimate.core.errors import UserError

DEFAULT_URL = "http://127.0.0.1:3000"
ANSWER_SECONDS = 60.0
KEY = "ACCLIMATE_ENDPOINT_KEY"
"""In the environment: the API key that is shown, where the endpoint asks for one."""


def endpoint_url() -> str:
    """ACCLIMATE_ENDPOINT_URL, else the default port on loopback."""
    return os.environ.get("ACCLIMATE_ENDPOINT_URL", DEFAULT_URL).rstrip("/")


def health(url: str) -> dict[str, Any] | None:
    """The manifest of the champion that the endpoint serves, or None while nothing answers there or nobody does."""
    said = condition(url)
    champion: dict[str, Any] | None = said["roles"]["champion"] if said else None
    return champion


def condition(url: str) -> dict[str, Any] | None:
    """What the endpoint says of itself, ready or not; None while nothing answers there."""
    try:
        return _json(f"{url}/api/v1/health", None, timeout=5.0)
    except urllib.error.HTTPError as fault:
        if fault.code != 503 or fault.headers.get_content_type() != "application/json":
            return None  # something else listens there
        said: dict[str, Any] = json.load(fault)
        return said
    except (urllib.error.URLError, ConnectionError, TimeoutError, HTTPException):
        return None


def canary(url: str) -> dict[str, Any] | None:
    """What the endpoint says of its canary, or None while nothing answers there or there is none."""
    try:
        return _json(f"{url}/api/v1/canary", None, timeout=5.0)
    except (urllib.error.URLError, ConnectionError, TimeoutError, HTTPException):
        return None


def ask(url: str, question: str) -> dict[str, Any]:
    """The endpoint's answer to a question.

    Raises:
        UserError: if it refuses, with its own words.
    """
    try:
        return _json(f"{url}/api/v1/generate", {"question": question}, timeout=ANSWER_SECONDS)
    except urllib.error.HTTPError as fault:
        said = fault.read().decode(errors="replace").strip()
        raise UserError(
            f"the endpoint at {url} answers {fault.code}: {said}",
            why="the champion is served but cannot be used",
            fix="read .acclimate/logs/endpoint.log",
        ) from None


def _json(url: str, body: dict[str, Any] | None, *, timeout: float) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    if key := os.environ.get(KEY):
        headers["Authorization"] = f"Bearer {key}"
    request = urllib.request.Request(url, data=data, headers=headers)
    with urllib.request.urlopen(request, timeout=timeout) as response:
        answer: dict[str, Any] = json.load(response)
    return answer
