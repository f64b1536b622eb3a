"""The answers of OpenAI's API as the OpenAPI document describes them; openai_api writes them.

The field names are those of OpenAI's API reference.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from acclimate.serving.documented import Responses


class Usage(BaseModel):
    """Tokens read and written."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Said(BaseModel):
    """The assistant's message."""

    role: Literal["assistant"]
    content: str
    refusal: None


class ChatChoice(BaseModel):
    """The one answer to a conversation."""

    index: int
    message: Said
    logprobs: None
    finish_reason: Literal["stop", "length", "content_filter"]


class TextChoice(BaseModel):
    """The one completion of a text."""

    index: int
    text: str
    logprobs: None
    finish_reason: Literal["stop", "length", "content_filter"]


class _Answered(BaseModel):
    """What both kinds have in common: which version answered, and what it took."""

    id: str
    created: int
    model: str
    system_fingerprint: str
    usage: Usage


class ChatCompletion(_Answered):
    """What /v1/chat/completions answers."""

    object: Literal["chat.completion"]
    choices: list[ChatChoice]


class TextCompletion(_Answered):
    """What /v1/completions answers."""

    object: Literal["text_completion"]
    choices: list[TextChoice]


class ServedModel(BaseModel):
    """A name that a request can ask for."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ServedModels(BaseModel):
    """All of them."""

    object: Literal["list"]
    data: list[ServedModel]


def whole_or_streamed(model: type[BaseModel]) -> Responses:
    """The entry of 200 in `responses`: a JSON object, or with `stream` its pieces as server-sent events."""
    event = {"type": "object", "required": ["data"], "properties": {"data": {"type": "string"}}}
    events = {"text/event-stream": {"itemSchema": event}}
    return {200: {"model": model, "content": events, "description": "Whole, or in pieces with `stream`."}}
