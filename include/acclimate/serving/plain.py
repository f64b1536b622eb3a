r"""The plain API: a prompt or a question in, a completion out; one or many.

    POST /api/v1/generate         {"question": "What does numpy.argsort do?", "max_new_tokens": 48}
    POST /api/v1/generate/batch   {"requests": [{"prompt": "numpy"}, {"question": "…", "temperature": 0.7, "seed": 1}]}
    GET  /api/v1/model/info

`prompt` is completed as it stands; `question` is put into the form in which questions were trained, by default
"Question: …\nAnswer:".
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from acclimate.serving.arriving import arrived
from acclimate.serving.asking import Exchange, Wish, asked, unless_gone
from acclimate.serving.batching import BATCH_REQUESTS
from acclimate.serving.documented import ASKING, KEYED, refusals
from acclimate.serving.faults import ManyModelsError
from acclimate.serving.generation import Completion
from acclimate.serving.prompts import as_it_stands, question
from acclimate.serving.sampling import Seed, Stop, Temperature, TopP
from acclimate.serving.state import ROLES

router = APIRouter(prefix="/api/v1")

Name = Annotated[str, Field(min_length=1, max_length=256)]
Text = Annotated[str, Field(min_length=1)]


def _given(field: str) -> dict[str, JsonValue]:
    """What JSON Schema says of an object in which a field is neither missing nor null."""
    return {"required": [field], "properties": {field: {"type": "string"}}}


class Ask(BaseModel):
    """A prompt or a question, how long the answer may be, how it is chosen, and of whom it is asked."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"oneOf": [_given("prompt"), _given("question")]}
    )

    prompt: Text | None = None
    question: Text | None = None
    max_new_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Temperature = 0.0
    top_p: TopP = 1.0
    seed: Seed | None = None
    stop: Stop = ()
    model: Name | None = None
    """A role or a version; by default whoever is chosen for the user."""
    user: Name | None = None
    """Whoever asks, in any form that stays the same: one user is always answered by one model."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Ask:
        if (self.prompt is None) == (self.question is None):
            raise ValueError("give exactly one of prompt and question")
        return self

    def wish(self) -> Wish:
        """What is asked, as every API asks it."""
        reading = as_it_stands(self.prompt) if self.prompt is not None else question(str(self.question))
        given = self.model_dump(exclude={"prompt", "question"})
        return Wish(reading, topic=self.prompt or self.question or "", **given)


class Batch(BaseModel):
    """Several requests at once; they are answered together, or none is."""

    model_config = ConfigDict(extra="forbid", strict=True)

    requests: Annotated[list[Ask], Field(min_length=1, max_length=BATCH_REQUESTS)]


class Answer(BaseModel):
    """What was written, by which version, and how it ended."""

    text: str
    model: str
    version: str
    prompt_tokens: int
    new_tokens: int
    finish_reason: str


class Answers(BaseModel):
    """The answers of a batch, in the order in which they were asked for."""

    answers: list[Answer]


@router.post("/generate", responses=refusals(*ASKING))
async def generate(ask: Ask, request: Request) -> Answer:
    """Complete a prompt; 422 if it is too long for the model, never a silent cut."""
    with ExitStack() as stack:
        wish = await arrived(stack, request.app.state, ask.wish())
        exchange = stack.enter_context(asked(request, wish))
        return _answer(exchange, await unless_gone(request, exchange.completion()))


@router.post("/generate/batch", responses=refusals(*ASKING))
async def generate_batch(batch: Batch, request: Request) -> Answers:
    """Complete several prompts; if one cannot be, the request is refused and nothing is written."""
    shelf = request.app.state.roster.shelf
    if len(named := {ask.model for ask in batch.requests if ask.model and shelf.key(ask.model)}) > 1:
        # Each would be held in memory while the next is waited for: two such batches could wait for each other forever.
        raise ManyModelsError(f"{', '.join(sorted(named))}: a batch asks one model of another domain at most")
    with ExitStack() as stack:
        wishes = [await arrived(stack, request.app.state, ask.wish()) for ask in batch.requests]
        exchanges = [stack.enter_context(asked(request, wish)) for wish in wishes]
        completions = await unless_gone(request, _all(exchanges))
        return Answers(answers=[_answer(*both) for both in zip(exchanges, completions, strict=True)])


@router.get("/model/info", responses=refusals(*KEYED, 503))
async def info(request: Request) -> dict[str, Any]:
    """The manifest of who serves in which role: version, hashes, limits and the gate's verdict; 503 if nobody does."""
    roster = request.app.state.roster
    roster.pick(None)
    return {role: roster.serves[role][1].manifest if role in roster.serves else None for role in ROLES}


async def _all(exchanges: list[Exchange]) -> list[Completion]:
    return list(await asyncio.gather(*(exchange.completion() for exchange in exchanges)))


def _answer(exchange: Exchange, completion: Completion) -> Answer:
    return Answer(
        text=completion.text,
        model=exchange.model.manifest["model"],
        version=exchange.model.version,
        prompt_tokens=exchange.prompt_tokens,
        new_tokens=completion.new_tokens,
        finish_reason=completion.finish_reason,
    )
