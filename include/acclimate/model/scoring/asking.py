r"""The form in which a model is asked: the one in which it learned to answer.

    form = form_of("alpaca", tokenizer)
    form.prompt("What is a?")       # "Below is an instruction … ### Instruction:\nWhat is a?\n\n### Response:\n"

A candidate is asked as train_task.template has it, which is also how its endpoint asks. A base is asked in the chat
template that its tokenizer carries, since it was tuned to that, and plainly where there is none. Asked alike, the one
whose form it is not would be judged by how it takes a form that it has never seen; so each is asked as whoever used it
would ask it, and only what is asked is the same for all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from acclimate.core.errors import UserError
from acclimate.model.training.chat import Pair, Template, turn

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_QUESTION, _ANSWER = "{question}", "{answer}"


@dataclass(frozen=True)
class Form:
    """A template as text, with `{question}` where it is put in."""

    name: Template
    asked: str
    """The prompt."""
    before: str
    """What the response begins with before the answer, if anything; ends in no space."""
    space: str
    """Between that and the answer's first word; read together with the word, as tokenizers do."""
    end: str
    """The mark that ends a response; "" where only the end of the text does."""

    def prompt(self, question: str) -> str:
        """What a model answers to."""
        return self.asked.replace(_QUESTION, question)

    @property
    def ends(self) -> tuple[str, ...]:
        """What ends an answer, beside the end of the text."""
        return (self.end,) if self.end else ()

    def opened(self, question: str) -> str:
        """The prompt and the beginning of the response: what stands before `space` and an answer to be scored."""
        return f"{self.prompt(question)}{self.before}"


PLAIN = Form("plain", f"Question: {_QUESTION}\nAnswer:", "", " ", "")


def form_of(template: Template, tokenizer: PreTrainedTokenizerBase) -> Form:
    """The form `template`, as the tokenizer writes it.

    Raises:
        UserError: if the tokenizer lacks the template's tokens, or has no template of its own.
    """
    one = turn(template, tokenizer, Pair(_QUESTION, _ANSWER))
    before, _, end = one.response.partition(_ANSWER)
    opening = before.rstrip(" ")
    return Form(template, one.prompt, opening, before[len(opening) :], end.strip())


def form_of_base(tokenizer: PreTrainedTokenizerBase) -> Form:
    """The chat template that the tokenizer carries; plain without one, or where answers cannot be told apart in it."""
    if not tokenizer.chat_template:
        return PLAIN
    try:
        return form_of("model", tokenizer)
    except UserError:  # where the response begins cannot be told: nobody chose this template, so nothing is to mend
        return PLAIN
