from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from acclimate.core.errors import UserError
from acclimate.model.adapter import load_base, load_tokenizer
from acclimate.model.generation import complete
from acclimate.model.harness import choices_of_requests, language_model, split_choices, until
from acclimate.model.likelihood import Choices

CLOZE = [
    ("Get the name of 2 files and return", [" it as", " the as", " size as"]),
    ("os.path.getname", ["\n\nGet the", "\n\nSet the", "\n\nJoin the"]),
    ("Split the owner of 3 files and return it as a string. " * 4 + "Join", [" the root", " a root", " the root"]),
]
TEXTS = ["Get the name.", "Split the owner of 3 files and return it as a string. " * 5, "", "ü"]


def requests(task: str, arguments: Sequence[tuple[int, tuple[Any, ...]]]) -> list[Any]:
    return [SimpleNamespace(task_name=task, doc_id=item, args=args) for item, args in arguments]


@pytest.fixture(scope="module")
def pair(tiny_base: Path) -> tuple[Any, Any]:
    """Ours and lm-eval's own adapter around the same model, whose window is 32 tokens."""
    from lm_eval.models.huggingface import HFLM

    model, tokenizer = load_base(tiny_base), load_tokenizer(tiny_base)
    theirs = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=4, add_bos_token=False, prefix_token_id=0)
    return language_model(model, tokenizer, batch_items=2), theirs


def test_choices_are_scored_as_lm_eval_scores_them(pair: tuple[Any, Any]) -> None:
    # lm-eval's adapter adds no beginning-of-text token of its own: it is written out for it here. In the last item
    # the left context exceeds the window; its choices have equally many tokens, else lm-eval cuts it unequally.
    ours, theirs = pair
    flat = [(number, (left, choice)) for number, (left, cs) in enumerate(CLOZE) for choice in cs]
    expected = theirs.loglikelihood(requests("t", [(n, ("<s>" + left, c)) for n, (left, c) in flat]), disable_tqdm=True)
    found = ours.loglikelihood(requests("t", flat))
    assert [value for value, _ in found] == pytest.approx([value for value, _ in expected], abs=1e-3)


def test_items_with_different_numbers_of_choices_are_scored_like_each_by_itself(pair: tuple[Any, Any]) -> None:
    items = [("Get the", [" name", " size", " mode"]), ("Set the", [" root"]), ("Join", [" a", " b"]), CLOZE[0]]
    flat = [(number, (left, choice)) for number, (left, choices) in enumerate(items) for choice in choices]
    alone = [
        value
        for left, choices in items
        for value, _ in pair[0].loglikelihood(requests("t", [(0, (left, choice)) for choice in choices]))
    ]
    assert [value for value, _ in pair[0].loglikelihood(requests("t", flat))] == pytest.approx(alone, abs=1e-4)


def test_texts_are_scored_as_lm_eval_scores_them_even_beyond_the_window(pair: tuple[Any, Any]) -> None:
    ours, theirs = pair
    asked = requests("t", [(number, (text,)) for number, text in enumerate(TEXTS) if text])
    expected = theirs.loglikelihood_rolling(asked, disable_tqdm=True)
    assert ours.loglikelihood_rolling(asked) == pytest.approx(expected, abs=1e-3)


def test_an_empty_text_is_certain(pair: tuple[Any, Any]) -> None:
    assert pair[0].loglikelihood_rolling(requests("t", [(0, ("",)), (1, ("a",))]))[0] == 0.0


def test_texts_are_generated_as_lm_eval_generates_them_whatever_is_beside_them(pair: tuple[Any, Any]) -> None:
    prompts = [
        "Get the name of",
        "os.path.getname",
        "Split",
        "Split the owner of 3 files and return it as a string. " * 4,
    ]
    settings = {"until": ["\nQuestion:"], "max_gen_toks": 6, "do_sample": False}
    asked = requests("t", [(number, (prompt, settings)) for number, prompt in enumerate(prompts)])
    # lm-eval's adapter adds no beginning-of-text token of its own.
    theirs = requests("t", [(number, (f"<s>{prompt}", settings)) for number, prompt in enumerate(prompts)])
    found = pair[0].generate_until(asked)
    assert found[:3] == pair[1].generate_until(theirs[:3], disable_tqdm=True)
    assert all(found)


def test_each_prompt_gets_its_own_length(pair: tuple[Any, Any]) -> None:
    prompts: list[tuple[Any, ...]] = [("Get the name of", {"until": [], "max_gen_toks": limit}) for limit in (6, 1)]
    asked = requests("t", list(enumerate(prompts)))
    first, second = pair[0].generate_until(asked)
    assert first.startswith(second)
    assert len(first) > len(second)


def test_a_beginning_of_text_that_a_template_writes_is_not_read_twice(pair: tuple[Any, Any]) -> None:
    ours, settings = pair[0], {"until": [], "max_gen_toks": 6}
    left, choice = CLOZE[0][0], CLOZE[0][1][0]
    scored = [ours.loglikelihood(requests("t", [(0, (f"{begin}{left}", choice))])) for begin in ("", "<s>")]
    assert scored[0] == scored[1]
    written = [ours.generate_until(requests("t", [(0, (f"{begin}{left}", settings))])) for begin in ("", "<s>")]
    assert written[0] == written[1]


def test_any_of_several_tokens_ends_an_answer(tiny_base: Path) -> None:
    model, tokenizer = load_base(tiny_base), load_tokenizer(tiny_base)
    prompt, end = tokenizer("Get the name of", add_special_tokens=False)["input_ids"], int(tokenizer.eos_token_id)
    free = complete(model, [prompt], stops=[end], max_new_tokens=5, batch_items=1)[0]
    mark = free[-1]
    ended = complete(model, [prompt], stops=[end, mark], max_new_tokens=5, batch_items=1)[0]
    assert ended == free[: free.index(mark)]


def test_an_answer_ends_before_the_first_of_its_ends() -> None:
    assert until("a name\nQuestion: b\n\n", ["\n\n", "\nQuestion:"]) == "a name"
    assert until("a name", ["\n"]) == "a name"


def test_a_token_across_the_boundary_is_left_to_every_choice() -> None:
    # The left context ends in token 8; with the second choice the tokenizer merges it into token 80.
    split = split_choices([0, 7, 8], [[0, 7, 8, 21, 5], [0, 7, 80, 5]], window=32)
    assert split == Choices(context=[0, 7], continuations=[[8, 21, 5], [80, 5]])


def test_what_choices_share_beyond_the_left_context_is_scored() -> None:
    split = split_choices([0, 7], [[0, 7, 9, 1], [0, 7, 9, 2]], window=32)
    assert split == Choices(context=[0, 7], continuations=[[9, 1], [9, 2]])


def test_a_choice_that_begins_another_keeps_something_to_score() -> None:
    split = split_choices([0, 7, 9], [[0, 7, 9], [0, 7, 9, 9]], window=32)
    assert split == Choices(context=[0, 7], continuations=[[9], [9, 9]])


def test_a_context_longer_than_the_window_loses_its_beginning() -> None:
    left = list(range(10))
    split = split_choices(left, [[*left, 50, 51], [*left, 60]], window=6)
    # Five tokens of context and the first of two are read to predict the last: six in all.
    assert split == Choices(context=[5, 6, 7, 8, 9], continuations=[[50, 51], [60]])


def test_requests_become_one_item_each_in_their_order() -> None:
    asked = [("a", 0, "x", "1"), ("a", 0, "x", "2"), ("b", 0, "yy", "3"), ("b", 0, "yy", "4")]
    items = choices_of_requests(asked, lambda texts: [[ord(c) for c in text] for text in texts], begin=0, window=32)
    assert items == [
        Choices([0, ord("x")], [[ord("1")], [ord("2")]]),
        Choices([0, ord("y"), ord("y")], [[ord("3")], [ord("4")]]),
    ]


def test_a_tokenizer_without_a_first_token_is_refused() -> None:
    bare = SimpleNamespace(bos_token_id=None, eos_token_id=None)
    with pytest.raises(UserError, match="neither a beginning-of-text nor an end-of-text token"):
        language_model(SimpleNamespace(config=SimpleNamespace()), bare, batch_items=1)
