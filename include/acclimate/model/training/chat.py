r"""Question and answer as a model sees them: a prompt, and the response that it is to learn.

    turn("plain", tokenizer, Pair("What is a?", "A letter."))
    # Turn(prompt="Question: What is a?\nAnswer:", response=" A letter.")

`plain` is the form of mix's own `text`. `alpaca` is that of Taori et al. 2023 (Stanford Alpaca), `chatml` OpenAI's
and Qwen's, `llama3` that of Meta's Llama 3 model card; `model` is the chat template that the tokenizer carries.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from acclimate.core.errors import UserError
from acclimate.core.records import pair_text
from acclimate.model.adapter import load_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Template = Literal["plain", "alpaca", "chatml", "llama3", "model"]

MARKS: dict[str, tuple[str, ...]] = {
    "chatml": ("<|im_start|>", "<|im_end|>"),
    "llama3": ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
}
"""Tokens a template is made of; spelt out in pieces they would mean nothing to the model."""


@dataclass(frozen=True)
class Pair:
    """A question, its answer, and what has to be read to answer it, if anything."""

    question: str
    answer: str
    context: str | None = None

    @property
    def request(self) -> str:
        """What a user would write: the context, if any, and the question."""
        return f"{self.context}\n\n{self.question}" if self.context else self.question


@dataclass(frozen=True)
class Turn:
    """One exchange as text; the loss is on the response alone."""

    prompt: str
    response: str


def turn(template: Template, tokenizer: PreTrainedTokenizerBase, pair: Pair) -> Turn:
    """`pair` in the form `template`.

    Raises:
        UserError: if the tokenizer lacks the template's tokens, or has no template of its own.
    """
    if template == "model":
        return _own(tokenizer, pair)
    require_marks(template, tokenizer)
    return _FORMS[template](pair)


def prompt_form(template: Template, base: Path) -> str:
    r"""The prompt of a question, with `{question}` where it is put in: "Question: {question}\nAnswer:".

    Args:
        template: in which the model was trained.
        base: the folder with its tokenizer, read for the template `model` alone.

    Raises:
        UserError: if the tokenizer has no template of its own.
    """
    pair = Pair("{question}", "")
    return (_own(load_tokenizer(base), pair) if template == "model" else _FORMS[template](pair)).prompt


def require_marks(template: Template, tokenizer: PreTrainedTokenizerBase) -> None:
    """Raise UserError unless every token that `template` is made of is one token of the tokenizer."""
    known = tokenizer.get_vocab()
    missing = [mark for mark in MARKS.get(template, ()) if mark not in known]
    if missing:
        raise UserError(
            f"train_task.template is {template}, and the base's tokenizer has no {', '.join(missing)}",
            why="spelt out in pieces the marks of a conversation mean nothing to the model",
            fix="set train_task.template to plain or alpaca, which need no tokens of their own, or to model",
        )


def _plain(pair: Pair) -> Turn:
    whole = pair_text(pair.question, pair.answer, pair.context)
    prompt = whole.removesuffix(f" {pair.answer}")
    return Turn(prompt, whole[len(prompt) :])


def _alpaca(pair: Pair) -> Turn:
    paired = ", paired with an input that provides further context" if pair.context else ""
    context = f"### Input:\n{pair.context}\n\n" if pair.context else ""
    prompt = (
        f"Below is an instruction that describes a task{paired}. "
        "Write a response that appropriately completes the request.\n\n"
        f"### Instruction:\n{pair.question}\n\n{context}### Response:\n"
    )
    return Turn(prompt, pair.answer)


def _chatml(pair: Pair) -> Turn:
    prompt = f"<|im_start|>user\n{pair.request}<|im_end|>\n<|im_start|>assistant\n"
    return Turn(prompt, f"{pair.answer}<|im_end|>")


def _llama3(pair: Pair) -> Turn:
    user = f"<|start_header_id|>user<|end_header_id|>\n\n{pair.request}<|eot_id|>"
    assistant = "<|start_header_id|>assistant<|end_header_id|>\n\n"
    return Turn(f"<|begin_of_text|>{user}{assistant}", f"{pair.answer}<|eot_id|>")


def _own(tokenizer: PreTrainedTokenizerBase, pair: Pair) -> Turn:
    if not tokenizer.chat_template:
        raise UserError(
            "train_task.template is model, and the base's tokenizer has no chat template",
            why="there is no form to write the pairs in",
            fix="set train_task.template to plain, alpaca, chatml or llama3",
        )
    asked = [{"role": "user", "content": pair.request}]
    answered = [*asked, {"role": "assistant", "content": pair.answer}]
    prompt = str(tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True))
    whole = str(tokenizer.apply_chat_template(answered, tokenize=False))
    if not whole.startswith(prompt):
        raise UserError(
            "the tokenizer's chat template writes an answered question otherwise than it writes the question alone",
            why="where the response begins cannot be told, and the loss is on the response only",
            fix="set train_task.template to plain, alpaca, chatml or llama3",
        )
    return Turn(prompt, whole[len(prompt) :])


_FORMS: dict[str, Callable[[Pair], Turn]] = {"plain": _plain, "alpaca": _alpaca, "chatml": _chatml, "llama3": _llama3}
