"""diversity: alike texts share buckets, vectors do not depend on company, mean similarity is that of all pairs."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.data.mixing.diversity import HashTables, densities, mean_similarity, vectors

Texts = st.lists(st.text(max_size=60), min_size=1, max_size=12)


def test_case_punctuation_and_spacing_do_not_matter() -> None:
    one, other = vectors(pa.array(["Clay, and FIRE!", "clay  and\nfire"]))
    assert np.array_equal(one, other)


def test_alike_texts_are_near_and_others_are_not() -> None:
    base = "the potter turns the wet clay on a wheel until the wall of the bowl is thin"
    one, alike, other = vectors(pa.array([base, base.replace("thin", "thick"), "import numpy as np; x = np.zeros(3)"]))
    assert one @ alike > 0.85
    assert abs(one @ other) < 0.35


@given(Texts)
def test_a_vector_does_not_depend_on_the_other_texts(texts: list[str]) -> None:
    together = vectors(pa.array(texts))
    alone = np.concatenate([vectors(pa.array([text])) for text in texts])
    assert np.array_equal(together, alone)
    assert np.array_equal(vectors(pa.array(["before", *texts, "after"]).slice(1, len(texts))), together)


@given(Texts)
def test_vectors_have_length_one_or_no_word(texts: list[str]) -> None:
    found = vectors(pa.array(texts))
    for text, length in zip(texts, np.linalg.norm(found, axis=1), strict=True):
        assert length == pytest.approx(1) or length == 0
        if any(letter.isalnum() and letter.isascii() for letter in text) and len(text) == 1:
            assert length == pytest.approx(1)


@given(Texts)
def test_mean_similarity_is_the_mean_over_all_pairs(texts: list[str]) -> None:
    found = vectors(pa.array(texts))
    rows = found[np.linalg.norm(found, axis=1) > 0].astype(np.float64)
    cosines = (rows @ rows.T)[np.triu_indices(len(rows), 1)]
    assert mean_similarity(pa.array(texts)) == pytest.approx(cosines.mean() if len(cosines) else 0, abs=1e-5)


def test_a_text_among_many_alike_is_dense_and_a_lone_one_is_not() -> None:
    flock = [f"the potter turns the wet clay on a wheel number {number}" for number in range(900)]
    words = np.random.default_rng(0).integers(0, 10_000, (100, 12))
    lone = [" ".join(f"w{word}" for word in row) for row in words]
    tables = HashTables(1729, 1_000)
    found = densities(tables.codes(pa.array(flock + lone)))
    assert np.median(found[:900]) > 5 * np.median(found[900:])
    assert found.min() > 0


def test_buckets_get_finer_with_the_corpus_and_are_the_same_for_the_same_seed() -> None:
    assert [HashTables(1, texts).bits for texts in (0, 1_000, 1_000_000, 10**9)] == [4, 6, 16, 16]
    texts = pa.array(["clay", "fire"])
    assert np.array_equal(HashTables(1, 1_000).codes(texts), HashTables(1, 1_000).codes(texts))


def test_a_hundred_thousand_equal_texts_are_one_bucket() -> None:
    codes = HashTables(1, 100_000).codes(pa.array(["clay and fire"] * 1_000))
    assert densities(np.tile(codes, (100, 1))).tolist() == [1.0] * 100_000
