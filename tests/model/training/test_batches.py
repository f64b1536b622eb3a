"""Nothing is lost, nothing is learned twice, and no position runs on into another text."""

from __future__ import annotations

from itertools import cycle

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from acclimate.model.training.batches import UNLEARNED, Shape, packed_stream, packed_whole
from acclimate.model.training.texts import Example

shapes = st.builds(Shape, steps=st.integers(1, 3), rows=st.integers(1, 3), tokens=st.integers(2, 12))
texts = st.lists(st.tuples(st.integers(1, 15), st.integers(0, 5)), min_size=1, max_size=9)
PAD = 0


def numbered(sizes: list[tuple[int, int]]) -> list[Example]:
    """Examples of these lengths, learned from these places, of which every token is another number."""
    ends = np.cumsum([size for size, _ in sizes])
    return [
        Example(list(range(end - size + 1, end + 1)), min(learned, size))
        for end, (size, learned) in zip(ends.tolist(), sizes, strict=True)
    ]


@given(texts, shapes)
def test_a_stream_is_cut_without_a_gap_and_every_token_is_learned(sizes: list[tuple[int, int]], shape: Shape) -> None:
    examples = numbered(sizes)
    batches = packed_stream(examples, shape)
    stream = [token for example in examples for token in example.ids]
    assert batches.ids.flatten().tolist() == (stream * batches.ids.size)[: batches.ids.size]
    assert (batches.labels == batches.ids).all()
    assert (batches.padding, batches.tokens) == (0, shape.steps * shape.rows * shape.tokens)


@given(texts, shapes)
def test_positions_count_from_the_beginning_of_the_text_or_of_the_row(
    sizes: list[tuple[int, int]], shape: Shape
) -> None:
    examples = numbered(sizes)
    batches = packed_stream(examples, shape)
    beginnings = {example.ids[0] for example in examples}
    for ids, positions in zip(
        batches.ids.reshape(-1, shape.tokens), batches.positions.reshape(-1, shape.tokens), strict=True
    ):
        expected = 0
        for place, (token, position) in enumerate(zip(ids.tolist(), positions.tolist(), strict=True)):
            expected = 0 if place == 0 or token in beginnings else expected + 1
            assert position == expected


@given(texts, shapes)
def test_every_example_stands_whole_in_a_row(sizes: list[tuple[int, int]], shape: Shape) -> None:
    examples = numbered(sizes)
    batches = packed_whole(cycle(examples), shape, pad=PAD)
    owner = {token: place for place, example in enumerate(examples) for token in example.ids}
    for step in batches.ids:
        for row in step:
            kept = [token for token in row.tolist() if token != PAD]
            while kept:
                whole = examples[owner[kept[0]]].ids[: shape.tokens]
                assert kept[: len(whole)] == whole
                kept = kept[len(whole) :]
    assert batches.padding == int((batches.ids == PAD).sum())
    assert batches.tokens == int((batches.ids != PAD).sum())


@given(texts, shapes)
def test_only_what_is_to_be_learned_has_a_label_and_never_a_first_token(
    sizes: list[tuple[int, int]], shape: Shape
) -> None:
    examples = numbered(sizes)
    batches = packed_whole(cycle(examples), shape, pad=PAD)
    learned = {token for example in examples for token in example.ids[max(1, example.learned_from) : shape.tokens]}
    found = batches.labels != UNLEARNED
    assert (batches.labels[found] == batches.ids[found]).all()
    assert (found == np.isin(batches.ids, sorted(learned))).all()
    assert (batches.positions[batches.ids == PAD] >= 0).all()


def test_examples_go_to_the_step_whose_turn_it_is() -> None:
    examples = [Example([place] * 4, 0) for place in range(1, 7)]
    batches = packed_whole(cycle(examples), Shape(steps=2, rows=2, tokens=6), pad=PAD)
    assert batches.ids[:, :, 0].tolist() == [[1, 2], [3, 4]]


def test_the_count_of_learned_tokens_is_of_those_that_something_stands_before() -> None:
    batches = packed_whole(cycle([Example([1, 2, 3, 4], 2)]), Shape(steps=1, rows=1, tokens=8), pad=PAD)
    assert batches.labels[0, 0].tolist() == [UNLEARNED, UNLEARNED, 3, 4, UNLEARNED, UNLEARNED, 3, 4]
    assert batches.learned == 4
