"""Prompts in, completions out: one pass of a model over a batch, each prompt with its own limits and its own draw.

A row can be given up while it is being written: the token in the making is then its last.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from acclimate.serving.wording import Wording

if TYPE_CHECKING:
    from torch import Tensor

    from acclimate.serving.models import Model

Ending = Literal["stop", "length"]


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
    """'stop' if it ended by itself or before a stop string, 'length' if it was cut."""


@dataclass(eq=False)
class Row:
    """A prompt while it is being completed: the generating thread writes tokens, whoever asked may give up."""

    prompt: Prompt
    tell: Callable[[str], None] | None = None
    """Told every piece of text as it is written, by the generating thread."""
    written: list[int] = field(default_factory=list)
    wording: Wording | None = None
    finish_reason: Ending | None = None
    given_up: bool = False

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
        if self.finish_reason is not None and self.wording is not None:
            self._say(self.wording.rest())
        return self.finish_reason is not None

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


def complete(model: Model, rows: list[Row]) -> list[Completion]:
    """Complete all prompts in one batch."""
    import torch

    prompts = [row.prompt for row in rows]
    longest = max(len(prompt.tokens) for prompt in prompts)
    padding = [longest - len(prompt.tokens) for prompt in prompts]
    ids = [[model.pad] * pad + prompt.tokens for pad, prompt in zip(padding, prompts, strict=True)]
    mask = [[0] * pad + [1] * len(prompt.tokens) for pad, prompt in zip(padding, prompts, strict=True)]
    device = model.network.device
    with torch.inference_mode():
        model.network.generate(
            input_ids=torch.tensor(ids, device=device),
            attention_mask=torch.tensor(mask, device=device),
            max_new_tokens=max(prompt.max_new_tokens for prompt in prompts),
            do_sample=False,  # the likeliest token is taken; in rows that are drawn, `_draws` has left only one
            eos_token_id=sorted(model.ends) or None,
            pad_token_id=model.pad,
            logits_processor=[_draws(prompts)],
            stopping_criteria=[_progress(model, rows)],
        )
    return [row.completion(model) for row in rows]


def _progress(model: Model, rows: list[Row]) -> Callable[..., Tensor]:
    """Called by `generate` after every step: hands each row its token, and says which rows need no more."""
    import torch

    def _step(ids: Tensor, _scores: Any, **_: Any) -> Tensor:
        done = [row.take(token, model) for row, token in zip(rows, ids[:, -1].tolist(), strict=True)]
        return torch.tensor(done, device=ids.device)

    return _step


def _draws(prompts: list[Prompt]) -> Callable[[Tensor, Tensor], Tensor]:
    """Called by `generate` before a token is taken: in rows that are drawn, every token but one becomes impossible.

    So greedy and drawn rows share a batch, and each draws from a generator of its own.
    """
    import torch

    generators = {place: torch.Generator() for place, prompt in enumerate(prompts) if prompt.temperature > 0}
    for place, generator in generators.items():
        seed = prompts[place].seed
        generator.seed() if seed is None else generator.manual_seed(seed)

    def _choose(_ids: Tensor, scores: Tensor) -> Tensor:
        for place, generator in generators.items():
            drawn = torch.multinomial(probabilities(scores[place], prompts[place]).cpu(), 1, generator=generator)
            scores[place] = float("-inf")
            scores[place, int(drawn)] = 0.0
        return scores

    return _choose


def probabilities(scores: Tensor, prompt: Prompt) -> Tensor:
    """What a token is drawn by: the softmax of its score over the temperature, 0 outside the nucleus; [vocabulary]."""
    import torch

    # Relative to the best, and in 64 bits: however low the temperature, nothing overflows, and it is not 0.
    likely = torch.softmax((scores - scores.max()).double() / prompt.temperature, dim=-1)
    if prompt.top_p == 1:
        return likely
    ordered, tokens = likely.sort(descending=True)
    outside = ordered.cumsum(0) - ordered >= prompt.top_p
    outside[0] = False  # nor where top_p is so small that 0 is not below it any more
    return likely.index_fill(0, tokens[outside], 0.0)
