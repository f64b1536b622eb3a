"""Matching by words: what the SQuAD script gives, and what holds for any two texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.model.scoring.matching import exact_match, normalised_tokens, token_accuracy, token_f1

WORDS = st.lists(st.sampled_from(["sort", "The", "array", "an", "axis", "sort."]), max_size=8).map(" ".join)


def test_case_punctuation_articles_and_spacing_do_not_count() -> None:
    assert normalised_tokens("The  Sorted, (flat) array; an\taxis!") == ["sorted", "flat", "array", "axis"]
    assert exact_match("An  Array.", "the array") == 1.0


def test_an_article_inside_a_word_stays() -> None:
    assert normalised_tokens("theory of anatomy") == ["theory", "of", "anatomy"]


@pytest.mark.parametrize(
    ("prediction", "reference", "f1"),
    [
        ("the sorted indices", "Indices that would sort the array.", 2 / 7),
        ("sort sort sort", "sort", 0.5),
        ("", "sort", 0.0),
        ("the", "", 1.0),
    ],
)
def test_f1_has_the_values_of_the_squad_script(prediction: str, reference: str, f1: float) -> None:
    assert token_f1(prediction, reference) == pytest.approx(f1)


def test_token_accuracy_asks_for_the_place_and_counts_what_is_too_much() -> None:
    assert token_accuracy("sorts flat arrays", "sorts arrays flat") == pytest.approx(1 / 3)
    assert token_accuracy("sorts arrays and more", "sorts arrays") == 0.5
    assert token_accuracy("", "sorts") == 0.0
    assert token_accuracy("a", "the") == 1.0


@given(WORDS, WORDS)
def test_an_exact_match_scores_one_everywhere_and_f1_takes_no_side(left: str, right: str) -> None:
    assert token_f1(left, right) == token_f1(right, left)
    assert 0 <= token_accuracy(left, right) <= token_f1(left, right) <= 1
    if exact_match(left, right):
        assert token_f1(left, right) == token_accuracy(left, right) == 1.0
