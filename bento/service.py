r"""The served model: POST /generate, GET /health, GET /metrics.

    curl -s localhost:3000/generate -H 'Content-Type: application/json' \
         -d '{"question": "What does numpy.argsort do?", "max_new_tokens": 48}'
    {"text": " Returns the indices that would sort an array.", "model": "acclimate-scientific-python", "version": "3",
     "prompt_tokens": 15, "new_tokens": 12, "finish_reason": "stop"}

`prompt` is completed as it stands; `question` is put into the form in which questions were trained, by default
"Question: …\nAnswer:". Only JSON is read: BentoML's own endpoints also take pickles, which run code
(CVE-2024-2912, CVE-2025-27520), so there is none here, and anything but JSON is refused
before it is looked at.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import bentoml
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from prometheus_client import Counter
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.exceptions import HTTPException

from acclimate.release.signing import PINNED, pinned_key, verify
from acclimate.release.weights import folder_sha256
from generation import Batcher, Generator, Prompt

log = logging.getLogger("bentoml.acclimate")
HERE = Path(__file__).resolve().parent
BODY_BYTES = 1 << 18
"""A longer body is refused unread; prompts are limited in tokens, which are a few bytes each."""

GENERATED = Counter("acclimate_generated_tokens_total", "Tokens written", ["version"])
READ = Counter("acclimate_prompt_tokens_total", "Prompt tokens read", ["version"])
REFUSED = Counter("acclimate_refusals_total", "Requests refused", ["reason"])


class Ask(BaseModel):
    """What /generate takes: a prompt or a question, and how many tokens the answer may have."""

    model_config = ConfigDict(extra="forbid", strict=True)

    prompt: Annotated[str, Field(min_length=1)] | None = None
    question: Annotated[str, Field(min_length=1)] | None = None
    max_new_tokens: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Ask:
        if (self.prompt is None) == (self.question is None):
            raise ValueError("give exactly one of prompt and question")
        return self

    def text(self, form: str) -> str:
        """The prompt, or the question in its trained form, where `{question}` stands for it."""
        return self.prompt if self.prompt is not None else form.replace("{question}", str(self.question))


class Answer(BaseModel):
    """What /generate returns."""

    text: str
    model: str
    version: str
    prompt_tokens: int
    new_tokens: int
    finish_reason: str


class TooLongError(Exception):
    """More tokens than the manifest allows."""


class JsonOnly:
    """ASGI middleware: a request with a body must declare it as JSON and be short, or it is not read."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass the request on, or answer 411, 413 or 415."""
        refusal = None
        if scope["type"] == "http" and scope["method"] not in ("GET", "HEAD"):
            refusal = _refusal({name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]})
        if refusal is None:
            await self.app(scope, receive, send)
        else:
            await refusal(scope, receive, send)


def _refusal(headers: dict[str, str]) -> JSONResponse | None:
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    length = headers.get("content-length", "")
    if media_type != "application/json":
        return _error(415, "content_type", f"Content-Type is {media_type or 'missing'!r}; send application/json")
    if not length.isdigit():
        return _error(411, "length", "Content-Length is missing; send the body in one piece")
    if int(length) > BODY_BYTES:
        return _error(413, "too_large", f"the body has {length} bytes; at most {BODY_BYTES} are read")
    return None


def _error(status: int, reason: str, message: str) -> JSONResponse:
    REFUSED.labels(reason).inc()
    return JSONResponse({"error": message, "reason": reason}, status_code=status)


@asynccontextmanager
async def _batching(app: FastAPI) -> AsyncIterator[None]:
    app.state.batcher = Batcher(app.state.generator.complete)
    task = asyncio.create_task(app.state.batcher.run())
    yield
    task.cancel()


app = FastAPI(title="Acclimate", lifespan=_batching, docs_url=None, redoc_url=None)


@app.exception_handler(RequestValidationError)
async def _invalid(_: Request, fault: RequestValidationError) -> JSONResponse:
    told = "; ".join(f"{'.'.join(map(str, error['loc'][1:])) or 'body'}: {error['msg']}" for error in fault.errors())
    return _error(422, "invalid", told)


@app.post("/generate")
async def generate(ask: Ask) -> Answer:
    """Complete a prompt; 422 if it is too long for the model, never a silent cut."""
    started = time.perf_counter()
    manifest = app.state.manifest
    text = ask.text(manifest["prompt"])
    tokens = app.state.generator.tokens(text)
    most = manifest["max_new_tokens"]
    wanted = most if ask.max_new_tokens is None else ask.max_new_tokens
    _require_at_most(len(tokens), manifest["max_prompt_tokens"], "prompt tokens")
    _require_at_most(wanted, most, "max_new_tokens")
    completion = await app.state.batcher.ask(Prompt(tokens, wanted))
    READ.labels(manifest["version"]).inc(len(tokens))
    GENERATED.labels(manifest["version"]).inc(completion.new_tokens)
    answer = Answer(
        text=completion.text,
        model=manifest["model"],
        version=manifest["version"],
        prompt_tokens=len(tokens),
        new_tokens=completion.new_tokens,
        finish_reason=completion.finish_reason,
    )
    _log(text, answer, time.perf_counter() - started)
    return answer


@app.get("/health")
async def health() -> dict[str, Any]:
    """Who answers here: everything of the manifest, hash of the weights included."""
    return {"ready": True, **app.state.manifest}


def _require_at_most(value: int, limit: int, what: str) -> None:
    if value > limit:
        raise TooLongError(f"{value} {what}; at most {limit} are allowed")


@app.exception_handler(TooLongError)
async def _too_long(_: Request, fault: TooLongError) -> JSONResponse:
    return _error(422, "too_long", str(fault))


@app.exception_handler(HTTPException)
async def _other(_: Request, fault: HTTPException) -> JSONResponse:
    return _error(fault.status_code, "invalid", str(fault.detail))


def _log(prompt: str, answer: Answer, seconds: float) -> None:
    """Append the request to the file named by ACCLIMATE_REQUEST_LOG; nothing that identifies who asked."""
    path = os.environ.get("ACCLIMATE_REQUEST_LOG")
    if not path:
        return
    row = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "version": answer.version,
        "prompt": prompt,
        "prompt_tokens": answer.prompt_tokens,
        "new_tokens": answer.new_tokens,
        "latency_s": round(seconds, 4),
    }
    line = (json.dumps(row, ensure_ascii=False) + "\n").encode()
    # One write to a file opened for appending: lines of several workers do not mix (write(2), O_APPEND).
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(handle, line)
    finally:
        os.close(handle)


def verify_bento(folder: Path) -> None:
    """Raise UserError unless the files of a Bento are those that were signed with the pinned key.

    Where no key is pinned its own is used: that finds damage, and not who signs what they changed with another key.
    """
    if (pinned := pinned_key()) is None:
        log.warning("%s is not set: the files are whole, who signed them is not known", PINNED)
    verify(folder, pinned or folder / "signing.pub")


@bentoml.service(
    name="acclimate",
    workers=1,
    traffic={"timeout": 60, "max_concurrency": 128},
    http={"host": "127.0.0.1", "port": 3000},
)
@bentoml.asgi_app(app, path="/")
class Endpoint:
    """One model, one worker process."""

    def __init__(self) -> None:
        verify_bento(HERE)
        manifest = json.loads((HERE / "manifest.json").read_text(encoding="utf-8"))
        if (found := folder_sha256(HERE / "model")) != manifest["sha256"]:
            raise RuntimeError(f"the weights are {found}, the gate judged {manifest['sha256']}: not served")
        threads = int(os.environ.get("ACCLIMATE_ENDPOINT_THREADS", manifest["threads"]))
        app.state.manifest = manifest
        app.state.generator = Generator(HERE / "model", threads)


_service: Any = Endpoint  # the decorator made it a bentoml.Service
_service.add_asgi_middleware(JsonOnly)
