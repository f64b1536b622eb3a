"""Asking a model behind an OpenAI-compatible endpoint, in bounded time.

    POST {endpoint}/chat/completions    {"model": "…", "temperature": 0, "messages": [{"role": "user", …}]}

What may pass (too many requests, a server's fault, a broken connection, a timeout) is tried again `retries` times, at
growing intervals; anything else is final at once. Keys come from the environment, and redirects are not followed: the
key would go along to wherever they point.
"""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from acclimate.core.params.chat import ChatModel

MAX_ANSWER_BYTES = 1_000_000
FIRST_PAUSE_SECONDS = 0.5
"""Before the first retry; doubled for each further one."""
LONGEST_PAUSE_SECONDS = 30.0
"""Also where the server asks for more by Retry-After."""
_MAY_PASS = (408, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class Said:
    """A model's answer and what it cost."""

    text: object
    """As it came: a string, if the endpoint keeps to the protocol."""
    prompt_tokens: int
    """As the endpoint counts; 0 where it does not."""
    completion_tokens: int
    tries: int


class NoAnswerError(Exception):
    """The endpoint gave no answer; the message says what it did instead."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Turns a redirect into an error."""

    def redirect_request(self, *_: object) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirects)


def ask(model: ChatModel, prompt: str, *, key: str | None, max_tokens: int) -> Said:
    """What the model answers to `prompt`, at temperature 0.

    Raises:
        NoAnswerError: if the endpoint cannot be reached, refuses, does not speak the protocol, or fails at every try.
    """
    message = {"role": "user", "content": prompt}
    body = {"model": model.model, "temperature": 0, "max_tokens": max_tokens, "messages": [message]}
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
    url = f"{model.endpoint.rstrip('/')}/chat/completions"
    request = urllib.request.Request(url, data=json.dumps(body).encode(), headers=headers)
    for tries in range(1, model.retries + 2):
        last = tries > model.retries
        try:
            with _OPENER.open(request, timeout=model.timeout_seconds) as response:
                return _said(_read(response, time.monotonic() + model.timeout_seconds), tries)
        except urllib.error.HTTPError as fault:
            if last or fault.code not in _MAY_PASS:
                raise NoAnswerError(f"it answered {fault.code} {fault.reason}") from None
            time.sleep(_pause(tries, fault.headers.get("Retry-After")))
        except (OSError, http.client.HTTPException) as fault:
            if last:
                raise NoAnswerError(f"it cannot be reached: {fault}") from None
            time.sleep(_pause(tries, None))
    raise AssertionError("the last try returns or raises")


def _read(response: Any, deadline: float) -> bytes:
    """The body, as far as it is worth reading; one that comes drop by drop is given up at the deadline."""
    body = b""
    while len(body) < MAX_ANSWER_BYTES and (part := response.read1(1 << 16)):
        body += part
        if time.monotonic() > deadline:
            raise TimeoutError("its answer did not end in time")
    return body


def _said(content: bytes, tries: int) -> Said:
    try:
        answer = json.loads(content)
        text, usage = answer["choices"][0]["message"]["content"], answer.get("usage") or {}
        return Said(text, _count(usage, "prompt_tokens"), _count(usage, "completion_tokens"), tries)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as fault:
        raise NoAnswerError(f"its answer is no chat completion ({type(fault).__name__}: {fault})") from None


def _count(usage: dict[str, Any], name: str) -> int:
    counted = usage.get(name)
    return counted if isinstance(counted, int) else 0


def _pause(tries: int, asked: str | None) -> float:
    """Seconds until the next try: what the server asks for in whole seconds, else twice as long as before."""
    wanted = float(asked) if asked and asked.isdigit() else FIRST_PAUSE_SECONDS * 2 ** (tries - 1)
    return min(wanted, LONGEST_PAUSE_SECONDS)
