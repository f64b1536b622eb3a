"""N-gram overlap with values worked out by hand, so that a changed default of a library is noticed."""

from __future__ import annotations

import math

import pytest

from acclimate.model.scoring.overlap import corpus_bleu, rouge, sentence_bleu

PREDICTION, REFERENCE = "return the sorted array", "return the array sorted"


def test_rouge_is_the_f_measure_of_unigrams_bigrams_and_the_longest_common_subsequence() -> None:
    (found,) = rouge([PREDICTION], [REFERENCE])
    assert found == {"rouge1": pytest.approx(1.0), "rouge2": pytest.approx(1 / 3), "rougeL": pytest.approx(3 / 4)}


def test_rouge_does_not_stem() -> None:
    assert rouge(["sorts"], ["sorted"])[0]["rouge1"] == 0.0


def test_corpus_bleu_adds_up_before_it_divides() -> None:
    # Of both sentences: 8 of 8 words, 4 of 6 bigrams, 2 of 4 trigrams, 1 of 2 four-grams; no brevity penalty.
    predictions = [PREDICTION, "one two three four"]
    references = [REFERENCE, "one two three four"]
    assert corpus_bleu(predictions, references) == pytest.approx((1 * (4 / 6) * (2 / 4) * (1 / 2)) ** (1 / 4))


def test_a_short_sentence_is_scored_by_the_orders_it_has() -> None:
    assert sentence_bleu(["one two"], ["one two"]) == [pytest.approx(1.0)]
    assert sentence_bleu(["one"], ["one two"]) == [pytest.approx(math.exp(1 - 2))]


def test_an_empty_answer_scores_nothing() -> None:
    assert sentence_bleu([""], ["one two"]) == [0.0]
    assert rouge([""], ["one two"]) == [{"rouge1": 0.0, "rouge2": 0.0, "rougeL": 0.0}]
