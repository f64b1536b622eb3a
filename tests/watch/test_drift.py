from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.core.files import write_jsonl
from acclimate.core.params import DriftParams
from acclimate.release.reference import reference_questions
from acclimate.release.register import register
from acclimate.release.registry import connect
from acclimate.watch.drift import compare, divergence, measure, permutation_p, word_counts

MODEL = "acclimate-scientific-python"
DIALS = DriftParams(min_requests=20, alpha=0.01, permutations=200)
TRAINED = [f"What does numpy.{verb} do along axis {axis}?" for verb in ("sum", "max", "min", "sort") for axis in "xyz"]
counts = st.lists(st.integers(0, 9), min_size=4, max_size=4).map(lambda row: np.array(row, dtype=float))


def test_distributions_without_a_common_word_are_one_bit_apart() -> None:
    assert divergence(np.array([3.0, 0.0]), np.array([0.0, 5.0])) == pytest.approx(1.0)


def test_the_divergence_of_a_known_pair() -> None:
    # p = (1, 0), q = (½, ½), m = (¾, ¼): ½·log2(4/3) + ½·(½·log2(2/3) + ½·log2(2)).
    expected = 0.5 * np.log2(4 / 3) + 0.5 * (0.5 * np.log2(2 / 3) + 0.5)
    assert divergence(np.array([4.0, 0.0]), np.array([2.0, 2.0])) == pytest.approx(expected)


@given(counts, counts)
def test_the_divergence_is_symmetric_between_0_and_1_and_blind_to_size(
    first: np.ndarray[tuple[int], np.dtype[np.float64]], second: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> None:
    distance = divergence(first, second)
    assert -1e-12 <= distance <= 1 + 1e-12
    assert divergence(second, first) == pytest.approx(distance)
    assert divergence(7 * first, second) == pytest.approx(distance)
    assert divergence(first, first) == pytest.approx(0)


def test_words_are_counted_per_text_without_case_or_numbers() -> None:
    matrix, words = word_counts(["Sum sum 3", "x numpy.sum"])
    assert words == ["numpy", "sum"]
    assert matrix.tolist() == [[0, 2], [1, 1]]


def test_the_same_kind_of_question_is_quiet() -> None:
    result = compare(TRAINED * 5, TRAINED * 3, DIALS, seed=1, version="1")
    assert result.status == "quiet"
    assert result.p_value is not None
    assert result.p_value > 0.5


def test_other_questions_are_drift_and_their_words_are_named() -> None:
    asked = [f"How do I bake bread with {flour}?" for flour in ("rye", "spelt", "wheat")] * 10
    result = compare(TRAINED * 5, asked, DIALS, seed=1, version="1")
    assert result.status == "drift"
    assert result.p_value == pytest.approx(1 / 201, abs=1e-6)
    assert "bake" in result.words
    assert "numpy" not in result.words


def test_under_the_same_distribution_small_p_values_are_rare() -> None:
    random = np.random.default_rng(3)
    low = 0
    for _ in range(100):
        matrix = random.poisson(0.4, size=(60, 12)).astype(float)
        low += permutation_p(matrix, 40, 99, random) <= 0.05
    # Binomial(100, 0.05) exceeds 12 in fewer than 2 of 1,000 cases.
    assert low <= 12


def test_equal_input_gives_an_equal_result() -> None:
    asked = TRAINED[:6] * 5
    assert compare(TRAINED, asked, DIALS, seed=1, version="1") == compare(TRAINED, asked, DIALS, seed=1, version="1")


def test_without_a_champion_nothing_is_compared(gated_run: Path, tmp_path: Path) -> None:
    result = measure(MODEL, DIALS, seed=1, folder=tmp_path)
    assert (result.status, result.version) == ("no_champion", None)


def test_few_requests_say_nothing_and_those_to_another_version_do_not_count(gated_run: Path, tmp_path: Path) -> None:
    connect().set_registered_model_alias(MODEL, "champion", register(gated_run)["version"])
    rows = [{"version": "1", "prompt": "x"}] * 5 + [{"version": "0", "prompt": "x"}] * 50
    write_jsonl(tmp_path / "requests.jsonl", rows)
    result = measure(MODEL, DIALS, seed=1, folder=tmp_path)
    assert (result.status, result.version, result.n, result.distance) == ("too_few", "1", 5, None)


def test_requests_are_compared_with_what_the_registered_champion_was_trained_on(
    gated_run: Path, tmp_path: Path
) -> None:
    connect().set_registered_model_alias(MODEL, "champion", register(gated_run)["version"])
    trained = reference_questions(gated_run / "artifacts/mix/train.jsonl")
    prompts = [f"Question: {question}\nAnswer:" for question in trained[:25]]
    write_jsonl(tmp_path / "requests.jsonl", [{"version": "1", "prompt": prompt} for prompt in prompts])
    assert measure(MODEL, DIALS, seed=1, folder=tmp_path).status == "quiet"
    write_jsonl(tmp_path / "requests.jsonl", [{"version": "1", "prompt": "How is bread baked?"}] * 25)
    assert measure(MODEL, DIALS, seed=1, folder=tmp_path).status == "drift"
