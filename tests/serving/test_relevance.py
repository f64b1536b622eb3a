"""What a text is told apart by."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from acclimate.serving.relevance import MOST_WORDS, PLACES, Relevance, features


def test_words_and_their_pairs_count_in_any_case_and_the_whole_has_length_one() -> None:
    assert features("Sort the array") == features("sort, THE array!")
    assert len(features("sort the array")) == 5
    assert sum(weight**2 for weight in features("a b a b a").values()) == pytest.approx(1)


def test_a_word_that_occurs_often_weighs_its_logarithm_more() -> None:
    places = features("sort sort sort")
    single, pair = sorted(places.values(), reverse=True)
    assert single / pair == pytest.approx((1 + math.log(3)) / (1 + math.log(2)))


def test_a_text_without_words_and_half_a_character_have_a_score_too() -> None:
    relevance = Relevance(np.zeros(PLACES, dtype=np.float32), 0.0)
    assert [relevance.of(text) for text in ("", "…", "\ud800 a")] == [0.5] * 3


def test_the_score_is_the_logistic_of_the_weights_without_overflow() -> None:
    (place,) = features("sort")
    weights = np.zeros(PLACES, dtype=np.float32)
    weights[place] = 2.0
    assert Relevance(weights, -1.0).of("sort") == pytest.approx(1 / (1 + math.exp(-1)))
    assert Relevance(weights, -1e6).of("sort") == 0
    assert Relevance(weights, 1e6).of("sort") == 1


def test_a_long_text_is_judged_by_its_beginning() -> None:
    opening = "word " * MOST_WORDS
    assert features(opening + "sort the array") == features(opening)


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    weights = np.linspace(-1, 1, PLACES, dtype=np.float32)
    (tmp_path / "relevance.safetensors").write_bytes(Relevance(weights, 0.25).tensors())
    read = Relevance.read(tmp_path / "relevance.safetensors")
    assert read.bias == 0.25
    assert np.array_equal(read.weights, weights)
