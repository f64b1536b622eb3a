"""Which tokens are learned, in which order they come, and how much of them is replay."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.model.adapter import load_tokenizer
from acclimate.model.training.texts import Example, conversations, documents, with_replay

ROW = {"question": "What is a?", "answer": "A letter."}


def test_of_a_pair_the_answer_and_its_end_are_learned(tiny_base: Path) -> None:
    tokenizer = load_tokenizer(tiny_base)
    [example] = conversations(tokenizer, [ROW], "plain")
    assert tokenizer.decode(example.ids[: example.learned_from]) == "<s>Question: What is a?\nAnswer:"
    assert tokenizer.decode(example.ids[example.learned_from :]) == " A letter.</s>"


def test_a_template_that_ends_the_response_itself_is_not_ended_twice(tiny_base: Path) -> None:
    tokenizer = load_tokenizer(tiny_base)
    tokenizer.chat_template = (
        "{{ bos_token }}{{ messages[0].content }}:{% if messages | length > 1 %} yes{{ eos_token }}{% endif %}"
    )
    [example] = conversations(tokenizer, [ROW], "model")
    assert tokenizer.decode(example.ids) == "<s>What is a?: yes</s>"


def test_a_raw_text_is_learned_whole(tiny_base: Path) -> None:
    tokenizer = load_tokenizer(tiny_base)
    [example] = documents(tokenizer, [{"text": "numpy"}])
    assert (tokenizer.decode(example.ids), example.learned_from) == ("<s>numpy</s>", 0)


lengths = st.lists(st.integers(1, 30), min_size=1, max_size=8)


@given(lengths, lengths, st.floats(0, 0.9))
def test_replay_gets_its_share_to_within_one_text(pairs: list[int], replay: list[int], share: float) -> None:
    def of(kind: int, sizes: list[int]) -> list[Example]:
        return [Example([kind] * size, 0) for size in sizes]

    taken = list(islice(with_replay(of(1, pairs), of(2, replay), share), 200))
    tokens = [token for example in taken for token in example.ids]
    assert tokens.count(2) / len(tokens) == pytest.approx(share, abs=31 / len(tokens))


def test_pairs_keep_their_order_and_start_again() -> None:
    pairs = [Example([place], 0) for place in range(3)]
    assert [one.ids[0] for one in islice(with_replay(pairs, [], 0.5), 7)] == [0, 1, 2, 0, 1, 2, 0]
