"""Near-duplicates: against comparing all pairs, and where the definition has corners."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from acclimate.data.kernels.similarity import jaccard
from acclimate.data.similarity.components import Components
from acclimate.data.similarity.near_duplicates import near_duplicates
from acclimate.data.similarity.search import Search
from acclimate.data.similarity.sketches import MIN_RECALL, PERMUTATIONS, Banding, Nearness, sketch_texts
from acclimate.data.similarity.words import words

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


@given(SHORT_TEXTS, st.sampled_from([0.0, 0.5, 0.8]))
@settings(max_examples=60, deadline=None)
def test_the_similarity_is_the_jaccard_of_the_shingle_sets(texts: list[str], threshold: float) -> None:
    sketches = sketch_texts(texts, Nearness(threshold=0.8, shingle_words=3, seed=1))
    pairs = np.array(list(combinations(range(len(texts)), 2)), dtype=np.int64).reshape(-1, 2)
    found = jaccard(pairs[:, 0].copy(), pairs[:, 1].copy(), sketches.sets.shingles, sketches.sets.starts, threshold)
    shingles = [_shingles(text, 3) for text in texts]
    for similarity, (one, other) in zip(found, pairs, strict=True):
        union = shingles[one] | shingles[other]
        exact = len(shingles[one] & shingles[other]) / len(union) if union else 0
        assert similarity == (exact if exact >= threshold else 0)


@given(st.lists(st.lists(st.sampled_from("ab"), max_size=6).map(" ".join), max_size=9), st.randoms())
@settings(max_examples=40, deadline=None)
def test_order_and_threads_make_no_difference(texts: list[str], random_source: random.Random) -> None:
    order = list(range(len(texts)))
    random_source.shuffle(order)
    nearness = Nearness(threshold=0.6, shingle_words=2, seed=7)
    straight = near_duplicates(sketch_texts(texts, nearness), nearness).labels()
    shuffled = near_duplicates(sketch_texts([texts[i] for i in order], nearness), nearness, threads=2).labels()
    for one, other in combinations(range(len(texts)), 2):
        same = straight[order[one]] == straight[order[other]]
        assert (shuffled[one] == shuffled[other]) == same


def test_pairs_exactly_at_the_threshold_are_found_as_often_as_the_banding_says() -> None:
    # Each pair has 84 words in common and then 10 of each its own: 80 of 100 shingles are shared.
    texts = [
        " ".join([*(f"{pair}s{i}" for i in range(84)), *(f"{pair}{side}{i}" for i in range(10))])
        for pair in range(1000)
        for side in "xy"
    ]
    sketches = sketch_texts(texts[:2], Nearness(0.8, 5, 1729))
    assert jaccard(np.array([0]), np.array([1]), sketches.sets.shingles, sketches.sets.starts, 0.8).tolist() == [0.8]
    labels = _found(texts, 0.8, n=5)
    found = sum(labels[2 * pair] == labels[2 * pair + 1] for pair in range(1000))
    # Binomial with p = 0.9983: standard deviation 1.3 pairs.
    assert found / 1000 >= MIN_RECALL


def test_a_crowd_of_near_copies_is_one_component_and_not_every_pair_of_it_is_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    base = [f"w{i}" for i in range(60)]
    texts = [" ".join([*base, f"tail{copy}"]) for copy in range(2000)]
    compared = _counting(monkeypatch)
    assert set(_found(texts, 0.8, n=5)) == {0}
    assert sum(compared) < 3 * len(texts)


@pytest.mark.parametrize("pairs_per_member", [0, 16])
def test_different_texts_in_one_bucket_are_all_compared(monkeypatch: pytest.MonkeyPatch, pairs_per_member: int) -> None:
    # Half of each text is the same boilerplate (J = 1/3 between any two), so bands are shared by many;
    # texts 7 and 93 alone are near-duplicates.
    monkeypatch.setattr("acclimate.data.similarity.search.PAIRS_PER_MEMBER", pairs_per_member)
    boilerplate = [f"b{i}" for i in range(54)]
    texts = [" ".join([*boilerplate, *(f"t{text}w{i}" for i in range(50))]) for text in range(100)]
    texts[93] = texts[7] + " end"
    assert _found(texts, 0.5, n=5) == [7 if text == 93 else text for text in range(100)]


def test_a_crowd_that_shares_boilerplate_is_resolved_without_comparing_all_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Any two texts have J = 0.71, below the threshold, and meet in most bands; every tenth has a copy with an edit.
    boilerplate = " ".join(f"b{i}" for i in range(180))
    texts = [f"{boilerplate} {' '.join(f't{text}w{i}' for i in range(32))}" for text in range(1500)]
    texts += [text.replace("w31", "edited") for text in texts[::10]]
    compared = _counting(monkeypatch)
    assert _found(texts, 0.8, n=5) == [*range(1500), *range(0, 1500, 10)]
    assert sum(compared) < 50 * len(texts)


def test_a_hundred_thousand_copies_of_one_text_are_one_component() -> None:
    assert set(_found(["the same words again and again"] * 100_000, 0.8, n=5)) == {0}


def test_a_giant_text_is_compared_like_any_other() -> None:
    giant = " ".join(f"w{i}" for i in range(200_000))
    assert _found([giant, giant + " end", "w1 w2 w3 w4 w5"], 0.8, n=5) == [0, 0, 2]


def test_texts_shorter_than_a_shingle_are_compared_whole() -> None:
    assert _found(["See also", "see ALSO:", "see", "also see", ""], 0.8, n=5) == [0, 0, 2, 3, 4]


def test_texts_without_words_are_nobodys_duplicates() -> None:
    assert _found(["--- ***", "", "!!!"], 0.5, n=5) == [0, 1, 2]
    assert _found([], 0.5, n=5) == []


def test_the_seed_is_of_no_consequence_to_clear_cases() -> None:
    texts = _edited_texts(documents=20, seed=9)
    results = set()
    for seed in range(4):
        nearness = Nearness(threshold=0.5, shingle_words=5, seed=seed)
        results.add(tuple(near_duplicates(sketch_texts(texts, nearness), nearness).labels().tolist()))
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
    components = Components.single(10)
    for one, other in edges:
        components.join(one, other)
    assert components.labels().tolist() == _connected(10, edges)


def _found(texts: list[str], threshold: float, n: int) -> list[int]:
    nearness = Nearness(threshold, n, seed=1729)
    return [int(label) for label in near_duplicates(sketch_texts(texts, nearness), nearness).labels()]


def _counting(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pairs are compared one by one, from now on."""
    compared: list[int] = []
    compare = Search.compare

    def counting(self: Search, left: Ints, right: Ints, pool: ThreadPoolExecutor) -> None:
        compared.append(len(left))
        compare(self, left, right, pool)

    monkeypatch.setattr(Search, "compare", counting)
    return compared


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
