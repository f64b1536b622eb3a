"""OpenAI's API as far as it can be honoured: chat completions, completions and models, whole or streamed.

client = openai.OpenAI(base_url="http://127.0.0.1:3000/v1", api_key="none")
client.chat.completions.create(model="champion", messages=[{"role": "user", "content": "What does numpy.argsort do?"}])
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from acclimate.serving.arriving import arrived
from acclimate.serving.asking import Exchange, asked, unless_gone
from acclimate.serving.documented import ASKING, KEYED, refusals
from acclimate.serving.faults import body, said_of
from acclimate.serving.generation import Completion
from acclimate.serving.openai_requests import ChatRequest, CompletionRequest
from acclimate.serving.openai_responses import (
    ChatCompletion,
    ServedModel,
    ServedModels,
    TextCompletion,
    whole_or_streamed,
)

router = APIRouter(prefix="/v1")

REFUSALS = refusals(*ASKING, openai=True)


class Stream(StreamingResponse):
    """Server-sent events of one exchange, which is over when the response is, whatever ended that."""

    def __init__(self, stack: ExitStack, events: AsyncIterator[str]) -> None:
        super().__init__(events, media_type="text/event-stream", headers={"Cache-Control": "no-store"})
        self.stack = stack

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Send the events; also if nobody was there to receive the first, the exchange is over."""
        with self.stack:
            await super().__call__(scope, receive, send)


@router.post("/chat/completions", responses={**whole_or_streamed(ChatCompletion), **REFUSALS})
async def chat(ask: ChatRequest, request: Request) -> Response:
    """Answer the last message of a conversation."""
    return await _respond(ask, request)


@router.post("/completions", responses={**whole_or_streamed(TextCompletion), **REFUSALS})
async def completions(ask: CompletionRequest, request: Request) -> Response:
    """Complete a text."""
    return await _respond(ask, request)


@router.get("/models", response_model=ServedModels, responses=refusals(*KEYED, openai=True))
async def models(request: Request) -> dict[str, Any]:
    """What `model` can be: the registered model, every role and version in memory, the base, other domains' models."""
    return {"object": "list", "data": _models(request)}


@router.get("/models/{name}", response_model=ServedModel, responses=refusals(404, 422, *KEYED, 503, openai=True))
async def model(name: str, request: Request) -> dict[str, Any]:
    """One of them."""
    found = [one for one in _models(request) if one["id"] == name]
    if not found:
        request.app.state.roster.pick(name)  # refuses it, and says what there is
    return found[0]


def _models(request: Request) -> list[dict[str, Any]]:
    names = request.app.state.roster.names()
    return [{"id": name, "object": "model", "created": int(at), "owned_by": "acclimate"} for name, at in names.items()]


async def _respond(ask: ChatRequest | CompletionRequest, request: Request) -> Response:
    chatting = isinstance(ask, ChatRequest)
    with ExitStack() as stack:
        wish = await arrived(stack, request.app.state, ask.wish())
        exchange = stack.enter_context(asked(request, wish, stream=bool(ask.stream)))
        frame = _Frame(exchange, chatting)
        if ask.stream:
            usage = ask.stream_options is not None and ask.stream_options.include_usage
            return Stream(stack.pop_all(), _events(exchange, frame, usage=usage))
        completion = await unless_gone(request, exchange.completion())
        return JSONResponse(frame.whole(completion))


async def _events(exchange: Exchange, frame: _Frame, *, usage: bool) -> AsyncIterator[str]:
    """`data: …` per piece; then why it ended, the usage if asked for, and [DONE]. A fault is an event of its own."""
    if frame.chatting:
        yield _event(frame.chunk(delta={"role": "assistant", "content": ""}))
    try:
        async for piece in exchange.stream():
            if isinstance(piece, Completion):
                yield _event(frame.chunk(finish_reason=piece.finish_reason))
                if usage:
                    yield _event({**frame.head(), "choices": [], "usage": frame.usage(piece)})
            else:
                yield _event(frame.chunk(delta={"content": piece}, text=piece))
    except Exception as fault:
        status, reason, message = said_of(fault)
        exchange.told.status = status
        yield _event(body("/v1/", status, reason, message))
        if status == 500:
            raise
    yield "data: [DONE]\n\n"


def _event(value: dict[str, Any]) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"


class _Frame:
    """What stands around the text in every object of one response."""

    def __init__(self, exchange: Exchange, chatting: bool) -> None:
        self.exchange = exchange
        self.chatting = chatting
        self.created = int(time.time())

    def head(self, chunk: bool = True) -> dict[str, Any]:
        """Id, kind, and which version of which model answers."""
        kind = "text_completion" if not self.chatting else "chat.completion.chunk" if chunk else "chat.completion"
        served = self.exchange.model
        return {
            "id": f"{'chatcmpl' if self.chatting else 'cmpl'}-{self.exchange.told.id}",
            "object": kind,
            "created": self.created,
            "model": f"{served.name}:{served.version}",
            "system_fingerprint": served.manifest["sha256"][:16],
        }

    def chunk(
        self, *, delta: dict[str, str] | None = None, text: str = "", finish_reason: str | None = None
    ) -> dict[str, Any]:
        """One event of a stream."""
        said = {"delta": delta or {}} if self.chatting else {"text": text}
        choice = {"index": 0, **said, "logprobs": None, "finish_reason": finish_reason}
        return {**self.head(), "choices": [choice]}

    def whole(self, completion: Completion) -> dict[str, Any]:
        """The answer in one piece."""
        message = {"role": "assistant", "content": completion.text, "refusal": None}
        said = {"message": message} if self.chatting else {"text": completion.text}
        choice = {"index": 0, **said, "logprobs": None, "finish_reason": completion.finish_reason}
        return {**self.head(chunk=False), "choices": [choice], "usage": self.usage(completion)}

    def usage(self, completion: Completion) -> dict[str, int]:
        """Tokens read and written."""
        read, written = self.exchange.prompt_tokens, completion.new_tokens
        return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
