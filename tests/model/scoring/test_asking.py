"""Forms: what a model is asked is what it was trained on, piece by piece."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerBase

from acclimate.core.errors import UserError
from acclimate.data.evaluation.examples import read_examples
from acclimate.model.adapter import load_tokenizer
from acclimate.model.generation import mark_tokens
from acclimate.model.scoring.asking import PLAIN, form_of, form_of_base
from acclimate.model.scoring.question_tasks import question_tasks
from acclimate.model.scoring.robustness import robustness_tasks
from acclimate.model.training.chat import MARKS, Pair, Template, turn

OWN = (
    "{% for m in messages %}[{{ m.role }}] {{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}[assistant] {% endif %}"
)
TEMPLATES: tuple[Template, ...] = ("plain", "alpaca", "chatml", "llama3", "model")


@pytest.fixture
def tokenizer(tiny_base: Path) -> PreTrainedTokenizerBase:
    """The tiny tokenizer with the marks of every template, and one of its own."""
    loaded = load_tokenizer(tiny_base)
    loaded.add_tokens([mark for marks in MARKS.values() for mark in marks], special_tokens=True)
    loaded.chat_template = OWN
    return loaded


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_question_and_its_answer_are_written_as_training_writes_them(
    template: Template, tokenizer: PreTrainedTokenizerBase
) -> None:
    form, one = form_of(template, tokenizer), turn(template, tokenizer, Pair("What is a?", "A letter."))
    assert form.prompt("What is a?") == one.prompt
    assert f"{form.opened('What is a?')}{form.space}A letter.{form.end}" == (one.prompt + one.response).rstrip()


def test_the_plain_form_is_the_one_that_every_tokenizer_writes(tokenizer: PreTrainedTokenizerBase) -> None:
    assert form_of("plain", tokenizer) == PLAIN


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_task_asks_in_the_form(template: Template, tokenizer: PreTrainedTokenizerBase, examples: Path) -> None:
    form, read = form_of(template, tokenizer), read_examples(examples)
    tasks = {task.name: task for task in question_tasks(read, form, answered=3, answer_tokens=8, seed=1)}
    opening = form.asked.partition("{question}")[0]
    assert opening
    for task in tasks.values():
        assert task.items
        assert all(str(item["left" if "left" in item else "prompt"]).startswith(opening) for item in task.items)
        assert task.ends == (form.ends if task.form == "generation" else ())
    item = tasks["multiple_choice"].items[0]
    answered = turn(template, tokenizer, Pair(item["question"], item["options"][item["label"]]))
    assert (answered.prompt + answered.response).startswith(item["left"] + item["choices"][item["label"]])
    changed = {
        task.name: task
        for task in robustness_tasks(
            {"multiple_choice_letters": [*tasks["multiple_choice_letters"].items]}, form, items=3, seed=1
        )
    }
    assert changed["robustness_option_order"].items[0]["left"].startswith(opening)


def test_the_mark_that_ends_an_answer_ends_its_generation(tokenizer: PreTrainedTokenizerBase) -> None:
    form = form_of("chatml", tokenizer)
    assert mark_tokens(tokenizer, form.ends) == [tokenizer.convert_tokens_to_ids("<|im_end|>")]
    assert mark_tokens(tokenizer, PLAIN.ends) == []


def test_a_base_without_a_usable_template_is_asked_plainly(tokenizer: PreTrainedTokenizerBase) -> None:
    assert form_of_base(tokenizer).name == "model"
    # It writes an answered question otherwise than the question alone: where the answer begins cannot be told.
    tokenizer.chat_template = "{{ messages | length }}{{ messages[0].content }}"
    assert form_of_base(tokenizer) == PLAIN
    tokenizer.chat_template = None
    assert form_of_base(tokenizer) == PLAIN


def test_a_form_that_the_tokenizer_cannot_write_is_refused(tiny_base: Path) -> None:
    with pytest.raises(UserError, match="template is chatml"):
        form_of("chatml", load_tokenizer(tiny_base))
