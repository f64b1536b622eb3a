"""difficulty: LIX by its definition, and a person's label before it."""

from __future__ import annotations

import pyarrow as pa
import pytest

from acclimate.data.mixing.difficulty import grades, hardness, lix


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("The cat sat. The dog ran.", 3.0),  # 6 words, 2 sentences, none long
        ("Considerable difficulty arises.", 3 + 100 * 2 / 3),  # 'arises' has six letters: not long
        ("no full stop at all", 5.0),
        ("numpy.ndarray has 3.14 in it. Yes.", 6 / 2 + 100 * 1 / 6),  # a point inside a word ends nothing
        ("", 0.0),
        ("größere Verständlichkeit.", 2 + 100 * 2 / 2),
    ],
)
def test_lix_is_sentence_length_and_share_of_long_words(text: str, index: float) -> None:
    assert lix(pa.array([text]))[0] == pytest.approx(index)


def test_grades_are_easy_below_forty_and_hard_from_fifty() -> None:
    found = hardness(pa.array(["a. " * 9, "word " * 45, "word " * 55]), pa.nulls(3, pa.string()))
    assert grades(found).tolist() == [0, 1, 2]


def test_a_label_goes_before_the_index_and_an_unknown_word_does_not() -> None:
    found = hardness(pa.array(["a. " * 9] * 4), pa.array(["Hard", "medium", "tricky", None]))
    assert grades(found).tolist() == [2, 1, 0, 0]
