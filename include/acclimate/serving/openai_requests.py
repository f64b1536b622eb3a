"""What OpenAI's API is asked here: every field is honoured or refused by name, none is ignored.

Fields whose only accepted value is the one that asks for nothing are here so that clients which always send them are
understood. The field names are those of OpenAI's API reference (chat completions, completions).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from acclimate.serving.asking import Wish
from acclimate.serving.prompts import as_it_stands, conversation
from acclimate.serving.sampling import Seed, Stop, Temperature, TopP


def _no_number(value: object) -> object:
    """False is equal to 0, and 0 is no answer to yes or no."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError("Input should be a valid boolean")
    return value


No = Annotated[float, Field(ge=0, le=0)]
Off = Annotated[Literal[False], BeforeValidator(_no_number)]
Tokens = Annotated[int, Field(ge=1)]


class StreamOptions(BaseModel):
    """Whether a stream ends with the usage."""

    model_config = ConfigDict(extra="forbid", strict=True)

    include_usage: bool = False


class _Asked(BaseModel):
    """What both kinds of completion have in common."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model: Annotated[str, Field(min_length=1, max_length=256)]
    """The registered model (who answers is then chosen for the user), a role, or a version."""
    temperature: Temperature | None = None
    """Left out, it is 0 here: a question has one answer."""
    top_p: TopP | None = None
    seed: Seed | None = None
    stop: Stop = ()
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    user: Annotated[str, Field(max_length=256)] | None = None
    n: Annotated[int, Field(ge=1, le=1)] | None = 1
    presence_penalty: No | None = None
    frequency_penalty: No | None = None
    logit_bias: Annotated[dict[str, Any], Field(max_length=0)] | None = None

    @model_validator(mode="after")
    def _options_are_of_a_stream(self) -> _Asked:
        if self.stream_options is not None and not self.stream:
            raise ValueError("stream_options is given and stream is not true")
        return self

    def sampling(self) -> dict[str, Any]:
        """The dials of a Wish."""
        chosen = {"temperature": self.temperature or 0.0, "top_p": 1.0 if self.top_p is None else self.top_p}
        return {**chosen, "seed": self.seed, "stop": self.stop, "model": self.model, "user": self.user or None}


class Part(BaseModel):
    """A piece of a message; only text is read."""

    model_config = ConfigDict(extra="forbid", strict=True)

    type: Literal["text"]
    text: str


class Message(BaseModel):
    """One turn of a conversation."""

    model_config = ConfigDict(extra="forbid", strict=True)

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[Part]

    @model_validator(mode="after")
    def _whole_characters(self) -> Message:
        try:
            self.said()[1].encode()
        except UnicodeEncodeError:  # JSON can hold half a character (a lone surrogate), no tokenizer can
            raise ValueError("content should be whole characters") from None
        return self

    def said(self) -> tuple[str, str]:
        """Role and text."""
        if isinstance(self.content, str):
            return self.role, self.content
        return self.role, "".join(part.text for part in self.content)


class ResponseFormat(BaseModel):
    """Text, and nothing else."""

    model_config = ConfigDict(extra="forbid", strict=True)

    type: Literal["text"]


class ChatRequest(_Asked):
    """POST /v1/chat/completions."""

    messages: Annotated[list[Message], Field(min_length=1)]
    max_tokens: Tokens | None = None
    max_completion_tokens: Tokens | None = None
    logprobs: Off | None = None
    response_format: ResponseFormat | None = None

    @model_validator(mode="after")
    def _a_user_is_to_be_answered(self) -> ChatRequest:
        if self.messages[-1].role != "user":
            raise ValueError("the last message must be the user's: it is what is answered")
        if self.max_tokens is not None and self.max_completion_tokens is not None:
            raise ValueError("give max_completion_tokens or max_tokens, not both")
        return self

    def wish(self) -> Wish:
        """What is asked, as every API asks it."""
        said = [message.said() for message in self.messages]
        topic = "\n".join(text for role, text in said if role == "user")
        most = self.max_completion_tokens or self.max_tokens
        return Wish(conversation(said), topic=topic, max_new_tokens=most, **self.sampling())


class CompletionRequest(_Asked):
    """POST /v1/completions."""

    prompt: Annotated[str, Field(min_length=1)]
    """One text; /api/v1/generate/batch takes several."""
    max_tokens: Tokens | None = None
    """Left out, it is the most that the model was packaged for."""
    logprobs: Annotated[int, Field(ge=0, le=0)] | None = None
    echo: Off | None = None
    best_of: Annotated[int, Field(ge=1, le=1)] | None = None
    suffix: None = None

    def wish(self) -> Wish:
        """What is asked, as every API asks it."""
        reading = as_it_stands(self.prompt)
        return Wish(reading, topic=self.prompt, max_new_tokens=self.max_tokens, **self.sampling())
