"""What a model is given to read: with a real tokenizer, which puts a token where a text begins."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from acclimate.model.tiny import BOS, train_tokenizer
from acclimate.model.training.chat import prompt_form
from acclimate.serving.models import Model
from acclimate.serving.prompts import as_it_stands, conversation, question


@pytest.fixture(scope="module")
def tokenizer() -> object:
    return train_tokenizer(["Return the size of a file."], vocabulary=300, sequence_tokens=64)


def model(tokenizer: object, prompt: str) -> Model:
    engine: Any = SimpleNamespace(ends=frozenset({1}), joins=False)
    return Model({"model": "m", "version": "1", "prompt": prompt}, engine, tokenizer)


@pytest.mark.parametrize("form", ["Question: {question}\nAnswer:", BOS + "Question: {question}\nAnswer:"])
def test_a_prompt_begins_once_whether_or_not_the_template_says_so(tokenizer: object, form: str) -> None:
    asked = model(tokenizer, form)
    _, tokens = question("What is it?")(asked)
    assert tokens[0] == 0
    assert tokens.count(0) == 1
    assert asked.text(tokens) == "Question: What is it?\nAnswer:"


def test_a_text_that_writes_its_beginning_itself_gets_no_second_one(tokenizer: object) -> None:
    asked = model(tokenizer, "{question}")
    assert as_it_stands(f"{BOS}numpy")(asked)[1] == as_it_stands("numpy")(asked)[1]


def test_a_conversation_is_read_as_its_template_writes_it(tokenizer: object) -> None:
    asked = model(tokenizer, "{question}")
    asked.tokenizer.chat_template = "{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}"
    try:
        _, tokens = conversation([("user", "numpy")])(asked)
    finally:
        asked.tokenizer.chat_template = None
    assert tokens == asked.tokens("numpy")


def test_the_form_of_llama3_begins_the_text_itself(tmp_path: object) -> None:
    assert prompt_form("llama3", tmp_path).startswith("<|begin_of_text|>")  # type: ignore[arg-type]  # it is not read
