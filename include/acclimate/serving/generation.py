"""Prompts in, completions out: what an engine writes token by token, as text that ends where it should.

A row can be given up while it is being written: the token in the making is then its last.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from acclimate.serving.wording import Wording

if TYPE_CHECKING:
    from acclimate.serving.engine import More
    from acclimate.serving.models import Model

Ending = Literal["stop", "length", "content_filter"]


@dataclass(frozen=True)
class Prompt:
    """A text to complete, as tokens, how many tokens may be added, and how they are chosen."""

    tokens: list[int]
    max_new_tokens: int
    temperature: float = 0.0
    """0: the likeliest token each time, so that a question has one answer."""
    top_p: float = 1.0
    """Of the likeliest tokens, those are drawn from that together have this probability (Holtzman et al. 2020)."""
    seed: int | None = None
    """The same one draws the same tokens again, as far as the probabilities are the same; None: any."""
    stop: tuple[str, ...] = ()
    """The completion ends before the first of these."""


@dataclass(frozen=True)
class Completion:
    """What the model added."""

    text: str
    new_tokens: int
    """Written for this prompt, those of a stop string included; an end token is none."""
    finish_reason: Ending
    """'stop' if it ended by itself or before a stop string, 'length' if it was cut; 'content_filter' if the guard rails
    refuse and no model was asked."""


@dataclass(eq=False)
class Row:
    """A prompt while it is being completed: the generating thread writes tokens, whoever asked may give up."""

    prompt: Prompt
    tell: Callable[[str], None] | None = None
    """Told every piece of text as it is written, by the generating thread."""
    over: Callable[[Completion], None] | None = None
    """Told the whole as soon as it is complete, by the generating thread; the rest of a batch may go on."""
    written: list[int] = field(default_factory=list)
    wording: Wording | None = None
    finish_reason: Ending | None = None
    given_up: bool = False
    model: Model | None = None
    """Whose it is, where rows of several models may be written together."""

    def take(self, token: int, model: Model) -> bool:
        """Add a token unless the row is complete; whether it is complete now."""
        if self.given_up or self.finish_reason is not None:
            return True
        if token in model.ends:
            self.finish_reason = "stop"
        else:
            self.written.append(token)
            self._word(model)
            if self.finish_reason is None and len(self.written) == self.prompt.max_new_tokens:
                self.finish_reason = "length"
        if self.finish_reason is None:
            return False
        if self.wording is not None:
            self._say(self.wording.rest())
        if self.over is not None:
            self.over(self.completion(model))
        return True

    def completion(self, model: Model) -> Completion:
        """What was written, once it is complete (or given up: then nobody reads it)."""
        text = self.wording.text if self.wording else model.text(self.written)
        return Completion(text, len(self.written), self.finish_reason or "length")

    def _word(self, model: Model) -> None:
        """Put the tokens into words now, where somebody waits for them or they may say to stop."""
        if self.tell is None and not self.prompt.stop:
            return
        if self.wording is None:
            self.wording = Wording(model.text, self.prompt.stop)
        self._say(self.wording.take(self.written))
        if self.wording.stopped:
            self.finish_reason = "stop"

    def _say(self, piece: str) -> None:
        if piece and self.tell is not None:
            self.tell(piece)


def nobody() -> list[Row]:
    """No more rows."""
    return []


def complete(model: Model, rows: list[Row], more: More = nobody) -> list[Completion]:
    """Complete all prompts side by side, and those that `more` brings while an engine that `joins` is writing.

    A row is `model`'s, or that of another one beside it (Engine.beside), if it says so.
    """
    model.engine.write(rows, lambda row, token: row.take(token, row.model or model), more)
    return [row.completion(row.model or model) for row in rows]
