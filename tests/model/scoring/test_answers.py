"""All metrics of an answer together."""

from __future__ import annotations

from pathlib import Path

import pytest

from acclimate.core.errors import UserError
from acclimate.model.scoring.answers import METRICS, measure

REFERENCES = ["Return the sorted array.", "Return the array.", "Return the mean of the array."]


def test_an_answer_that_is_the_reference_scores_one_everywhere() -> None:
    for row in measure(REFERENCES, REFERENCES, embedder="tfidf", dial="score.observe.embedder"):
        assert tuple(row) == METRICS
        assert row == pytest.approx(dict.fromkeys(METRICS, 1.0))


def test_an_empty_answer_scores_zero_everywhere() -> None:
    rows = measure(["", *REFERENCES[1:]], REFERENCES, embedder="tfidf", dial="score.observe.embedder")
    assert rows[0] == dict.fromkeys(METRICS, 0.0)


def test_words_that_no_reference_has_lower_the_similarity() -> None:
    close, far = measure(
        [REFERENCES[1], f"{REFERENCES[1]} Or a kettle of unrelated fish."],
        [REFERENCES[1]] * 2,
        embedder="tfidf",
        dial="score.observe.embedder",
    )
    assert far["similarity"] < 0.9 < close["similarity"]


def test_no_answers_have_no_rows() -> None:
    assert measure([], [], embedder="tfidf", dial="score.observe.embedder") == []


def test_an_embedder_that_is_none_is_named_by_its_dial(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^score\.observe\.embedder .* is no encoder"):
        measure(["a"], ["a"], embedder=str(tmp_path), dial="score.observe.embedder")
