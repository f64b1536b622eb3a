"""Near-duplicates: against comparing all pairs, and where the definition has corners."""

from __future__ import annotations

import random
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from acclimate.data.near_duplicates import MIN_RECALL, PERMUTATIONS, Banding, Components, ShingleSets, near_duplicates
from acclimate.data.words import words

Ints = NDArray[np.int64]
SHORT_TEXTS = st.lists(st.lists(st.sampled_from("abc"), max_size=9).map(" ".join), max_size=12)


def test_every_pair_above_the_threshold_is_found_and_no_other() -> None:
    texts = _edited_texts(documents=60, seed=4)
    for threshold in (0.5, 0.8):
        assert _found(texts, threshold, n=5) == _by_all_pairs(texts, threshold, n=5)


@given(SHORT_TEXTS, st.sampled_from([0.3, 0.5, 0.8, 1.0]))
@settings(max_examples=60, deadline=None)
def test_nothing_is_joined_that_comparing_all_pairs_does_not_join(texts: list[str], threshold: float) -> None:
    truth = _by_all_pairs(texts, threshold, n=3)
    for text, label in enumerate(_found(texts, threshold, n=3)):
        assert truth[text] == truth[label]


@given(SHORT_TEXTS)
@settings(max_examples=60, deadline=None)
def test_the_similarity_is_the_jaccard_of_the_shingle_sets(texts: list[str]) -> None:
    sets = ShingleSets.of(texts, 3)
    pairs = np.array(list(combinations(range(len(texts)), 2)), dtype=np.int64).reshape(-1, 2)
    found = sets.jaccard(sets.rows[pairs[:, 0]], sets.rows[pairs[:, 1]])
    shingles = [_shingles(text, 3) for text in texts]
    for similarity, (one, other) in zip(found, pairs, strict=True):
        union = shingles[one] | shingles[other]
        assert similarity == (len(shingles[one] & shingles[other]) / len(union) if union else 0)


def test_pairs_exactly_at_the_threshold_are_found_as_often_as_the_banding_says() -> None:
    # Each pair has 84 words in common and then 10 of each its own: 80 of 100 shingles are shared.
    texts = [
        " ".join([*(f"{pair}s{i}" for i in range(84)), *(f"{pair}{side}{i}" for i in range(10))])
        for pair in range(1000)
        for side in "xy"
    ]
    assert ShingleSets.of(texts[:2], 5).jaccard(np.array([0]), np.array([1])).tolist() == [0.8]
    labels = _found(texts, 0.8, n=5)
    found = sum(labels[2 * pair] == labels[2 * pair + 1] for pair in range(1000))
    # Binomial with p = 0.9983: standard deviation 1.3 pairs.
    assert found / 1000 >= MIN_RECALL


def test_a_crowd_of_near_copies_is_one_component_and_not_every_pair_of_it_is_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    base = [f"w{i}" for i in range(60)]
    texts = [" ".join([*base, f"tail{copy}"]) for copy in range(400)]
    checked = 0
    jaccard = ShingleSets.jaccard

    def counting(self: ShingleSets, left: Ints, right: Ints) -> NDArray[np.float64]:
        nonlocal checked
        checked += len(left)
        return jaccard(self, left, right)

    monkeypatch.setattr(ShingleSets, "jaccard", counting)
    assert set(_found(texts, 0.8, n=5)) == {0}
    assert checked < 10 * len(texts)


def test_different_texts_in_one_bucket_are_all_compared() -> None:
    # Half of each text is the same boilerplate (J = 1/3 between any two), so bands are shared by many;
    # texts 7 and 93 alone are near-duplicates.
    boilerplate = [f"b{i}" for i in range(54)]
    texts = [" ".join([*boilerplate, *(f"t{text}w{i}" for i in range(50))]) for text in range(100)]
    texts[93] = texts[7] + " end"
    assert _found(texts, 0.5, n=5) == [7 if text == 93 else text for text in range(100)]


def test_texts_shorter_than_a_shingle_are_compared_whole() -> None:
    assert _found(["See also", "see ALSO:", "see", "also see", ""], 0.8, n=5) == [0, 0, 2, 3, 4]


def test_texts_without_words_are_nobodys_duplicates() -> None:
    assert _found(["--- ***", "", "!!!"], 0.5, n=5) == [0, 1, 2]
    assert _found([], 0.5, n=5) == []


def test_the_seed_is_of_no_consequence_to_clear_cases() -> None:
    texts = _edited_texts(documents=20, seed=9)
    sets = ShingleSets.of(texts, 5)
    results = {tuple(near_duplicates(sets, threshold=0.5, seed=seed).labels().tolist()) for seed in range(4)}
    assert len(results) == 1


@pytest.mark.parametrize(("threshold", "bands", "rows"), [(0.8, 21, 6), (0.5, 42, 3), (1.0, 1, 128)])
def test_the_banding_keeps_recall_at_the_threshold(threshold: float, bands: int, rows: int) -> None:
    banding = Banding.at(threshold)
    assert (banding.bands, banding.rows) == (bands, rows)
    assert banding.recall(threshold) >= MIN_RECALL


@given(st.floats(0.05, 1))
def test_every_threshold_has_a_banding_within_the_permutations(threshold: float) -> None:
    banding = Banding.at(threshold)
    assert banding.bands * banding.rows <= PERMUTATIONS
    assert banding.recall(threshold) >= MIN_RECALL


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=12))
def test_components_are_those_of_the_graph(edges: list[tuple[int, int]]) -> None:
    components = Components(10)
    for one, other in edges:
        components.join(one, other)
    assert components.labels().tolist() == _connected(10, edges)


def _found(texts: list[str], threshold: float, n: int) -> list[int]:
    labels = near_duplicates(ShingleSets.of(texts, n), threshold=threshold, seed=1729).labels()
    return [int(label) for label in labels]


def _by_all_pairs(texts: list[str], threshold: float, n: int) -> list[int]:
    shingles = [_shingles(text, n) for text in texts]
    edges = [
        (one, other)
        for one, other in combinations(range(len(texts)), 2)
        if (union := shingles[one] | shingles[other]) and len(shingles[one] & shingles[other]) / len(union) >= threshold
    ]
    return _connected(len(texts), edges)


def _shingles(text: str, n: int) -> set[tuple[str, ...]]:
    found = words(text)
    if len(found) < n:
        return {tuple(found)} if found else set()
    return {tuple(found[i : i + n]) for i in range(len(found) - n + 1)}


def _connected(size: int, edges: list[tuple[int, int]]) -> list[int]:
    labels = list(range(size))
    for _ in range(size):
        for one, other in edges:
            labels[one] = labels[other] = min(labels[one], labels[other])
    return labels


def _edited_texts(documents: int, seed: int) -> list[str]:
    """Texts of 40 to 120 words, each with copies in which 0 to 12 words are replaced."""
    choose = random.Random(seed)
    vocabulary = [f"word{i}" for i in range(300)]
    texts = []
    for _ in range(documents):
        base = choose.choices(vocabulary, k=choose.randint(40, 120))
        for _ in range(choose.randint(1, 5)):
            copy = list(base)
            for _ in range(choose.randint(0, 12)):
                copy[choose.randrange(len(copy))] = choose.choice(vocabulary)
            texts.append(" ".join(copy))
    return texts
