"""A pair in every form, and what a form needs of a tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerBase

from acclimate.core.errors import UserError
from acclimate.core.records import pair_text
from acclimate.model.adapter import load_tokenizer
from acclimate.model.training.chat import MARKS, Pair, Template, prompt_form, turn

PAIR = Pair("What is a?", "A letter.")
READ = Pair("What is a?", "A letter.", context="a, b, c")


@pytest.fixture
def tokenizer(tiny_base: Path) -> PreTrainedTokenizerBase:
    """The tiny tokenizer, with the marks of every template added."""
    loaded = load_tokenizer(tiny_base)
    loaded.add_tokens([mark for marks in MARKS.values() for mark in marks], special_tokens=True)
    return loaded


@pytest.mark.parametrize("pair", [PAIR, READ])
def test_plain_is_the_text_that_mix_writes(pair: Pair, tokenizer: PreTrainedTokenizerBase) -> None:
    one = turn("plain", tokenizer, pair)
    assert one.prompt + one.response == pair_text(pair.question, pair.answer, pair.context)
    assert one.prompt.endswith("Question: What is a?\nAnswer:")


def test_alpaca_gives_the_context_a_place_of_its_own(tokenizer: PreTrainedTokenizerBase) -> None:
    assert turn("alpaca", tokenizer, READ).prompt.endswith(
        "### Instruction:\nWhat is a?\n\n### Input:\na, b, c\n\n### Response:\n"
    )
    assert "### Input" not in turn("alpaca", tokenizer, PAIR).prompt
    assert turn("alpaca", tokenizer, PAIR).response == "A letter."


@pytest.mark.parametrize(
    ("template", "prompt", "end"),
    [
        ("chatml", "<|im_start|>user\na, b, c\n\nWhat is a?<|im_end|>\n<|im_start|>assistant\n", "<|im_end|>"),
        (
            "llama3",
            "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\na, b, c\n\nWhat is a?<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\n",
            "<|eot_id|>",
        ),
    ],
)
def test_marks_stand_around_both_sides_and_the_response_learns_to_end(
    template: Template, prompt: str, end: str, tokenizer: PreTrainedTokenizerBase
) -> None:
    one = turn(template, tokenizer, READ)
    assert (one.prompt, one.response) == (prompt, f"A letter.{end}")


@pytest.mark.parametrize("template", ["chatml", "llama3"])
def test_a_tokenizer_without_the_marks_is_refused(template: Template, tiny_base: Path) -> None:
    with pytest.raises(UserError, match=f"template is {template}") as fault:
        turn(template, load_tokenizer(tiny_base), PAIR)
    assert all(mark in fault.value.what for mark in MARKS[template])


def test_the_models_own_template_is_split_where_the_response_begins(tokenizer: PreTrainedTokenizerBase) -> None:
    tokenizer.chat_template = (
        "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}"
        "{% if add_generation_prompt %}[assistant] {% endif %}"
    )
    one = turn("model", tokenizer, READ)
    assert (one.prompt, one.response) == ("[user] a, b, c\n\nWhat is a?\n[assistant] ", "A letter.\n")


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        (None, "has no chat template"),
        (
            "{{ messages | length }}{% if add_generation_prompt %} go{% endif %}",
            "otherwise than it writes the question",
        ),
    ],
)
def test_a_template_of_its_own_that_cannot_serve_is_refused(
    template: Any, problem: str, tokenizer: PreTrainedTokenizerBase
) -> None:
    tokenizer.chat_template = template
    with pytest.raises(UserError, match=problem):
        turn("model", tokenizer, PAIR)


@pytest.mark.parametrize("template", ["plain", "alpaca", "chatml", "llama3"])
def test_the_form_of_a_prompt_is_the_prompt_with_the_question_left_open(
    template: Template, tiny_base: Path, tokenizer: PreTrainedTokenizerBase
) -> None:
    form = prompt_form(template, tiny_base)
    assert form.replace("{question}", PAIR.question) == turn(template, tokenizer, PAIR).prompt
