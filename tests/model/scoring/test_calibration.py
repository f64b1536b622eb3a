"""Calibration against known answers and scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.model.scoring.calibration import (
    BINS,
    brier,
    calibration,
    expected_calibration_error,
    probabilities,
)


def test_a_model_that_says_what_it_knows_is_calibrated() -> None:
    # Three of four items held 0.75 likely are right, so is one of two held 0.5 likely.
    sure, unsure = [math.log(0.75), math.log(0.25)], [math.log(0.5), math.log(0.5)]
    found = calibration([sure] * 4 + [unsure] * 2, [0, 0, 0, 1, 0, 1], list("abcdef"), seed=1)
    assert found.ece.value == pytest.approx(0, abs=1e-6)
    assert found.confidence == pytest.approx(found.accuracy) == pytest.approx(4 / 6)
    assert [(one.n, one.accuracy) for one in found.bins] == [(2, 0.5), (4, 0.75)]


def test_ece_is_the_gap_weighted_by_items() -> None:
    confidence, right = np.array([0.9, 0.9, 0.3]), np.array([1.0, 0.0, 1.0])
    assert expected_calibration_error(confidence, right) == pytest.approx(2 / 3 * 0.4 + 1 / 3 * 0.7)


def test_brier_is_two_at_worst_and_three_quarters_for_a_guess_among_four() -> None:
    assert brier(np.array([0.0, 1.0]), 0) == 2.0
    assert brier(probabilities([-7.0] * 4), 2) == pytest.approx(0.75)


def test_brier_and_bins_are_those_of_scikit_learn() -> None:
    from sklearn.calibration import calibration_curve
    from sklearn.metrics import brier_score_loss

    draws = np.random.default_rng(5)
    values = draws.normal(size=(200, 4)) * 2
    labels = draws.integers(0, 4, 200)
    found = calibration(values.tolist(), labels.tolist(), [str(n) for n in range(200)], seed=1)
    chances = np.array([probabilities(row) for row in values])
    theirs = brier_score_loss(labels, chances, labels=range(4), scale_by_half=False)
    assert found.brier.value == pytest.approx(theirs, abs=1e-6)
    accuracy, confidence = calibration_curve(chances.argmax(1) == labels, chances.max(1), n_bins=BINS)
    assert [one.accuracy for one in found.bins] == pytest.approx(accuracy.tolist(), abs=1e-6)
    assert [one.confidence for one in found.bins] == pytest.approx(confidence.tolist(), abs=1e-6)
    assert found.ece.low <= found.ece.value <= found.ece.high


@given(st.lists(st.tuples(st.floats(-50, 0), st.floats(-50, 0), st.integers(0, 1)), min_size=1, max_size=20))
def test_errors_stay_in_their_range(items: list[tuple[float, float, int]]) -> None:
    found = calibration(
        [[a, b] for a, b, _ in items], [label for *_, label in items], [str(n) for n in range(len(items))], seed=1
    )
    assert 0 <= found.ece.value <= 1
    assert 0 <= found.brier.value <= 2
    assert sum(one.n for one in found.bins) == len(items)
