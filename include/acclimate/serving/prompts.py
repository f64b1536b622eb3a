r"""What is asked, in the form in which the model reads it.

A question takes the form in which questions were trained, by default "Question: …\nAnswer:". A conversation goes
through the chat template that the tokenizer carries; without one it is a series of such questions and their answers,
after whatever a system message says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from acclimate.serving.faults import TemplateError

if TYPE_CHECKING:
    from acclimate.serving.models import Model

Said = tuple[tuple[str, str], ...]
"""Messages as (role, content); a prompt or a question is one of the user."""


@dataclass(frozen=True)
class Reading:
    """What is asked, and how a model reads it: the prompt's text and its tokens."""

    said: Said
    form: Callable[[Model, Said], tuple[str, list[int]]]

    def __call__(self, model: Model) -> tuple[str, list[int]]:
        """As that model reads it."""
        return self.form(model, self.said)


def as_it_stands(text: str) -> Reading:
    """A text to be completed."""
    return Reading((("user", text),), lambda model, said: (said[0][1], model.tokens(said[0][1])))


def question(text: str) -> Reading:
    """A question in the form in which questions were trained."""
    return Reading((("user", text),), lambda model, said: as_it_stands(_plain(model, said))(model))


def conversation(messages: list[tuple[str, str]]) -> Reading:
    """Messages as (role, content), to be answered by the assistant.

    The reading raises TemplateError if the model's template does not take them (some want roles to alternate).
    """

    def _read(model: Model, messages: Said) -> tuple[str, list[int]]:
        if not model.tokenizer.chat_template:
            return as_it_stands(_plain(model, messages))(model)
        from jinja2 import TemplateError as Fault

        listed = [{"role": role, "content": content} for role, content in messages]
        try:
            text = model.tokenizer.apply_chat_template(listed, tokenize=False, add_generation_prompt=True)
        except Fault as fault:
            raise TemplateError(f"the model's chat template does not take these messages: {fault}") from None
        return text, model.tokens(text, special=False)  # the template has written them

    return Reading(tuple(messages), _read)


def _plain(model: Model, messages: Said) -> str:
    before = [content for role, content in messages if role in ("system", "developer")]
    text = "".join(f"{content}\n\n" for content in before)
    for role, content in messages:
        if role == "user":
            text += str(model.manifest["prompt"]).replace("{question}", content)
        elif role == "assistant":
            text += f" {content}\n\n"
    return text
