"""The scan: the same occurrences as hashing every run and looking each up, with crowded tables and many hits."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.data.similarity.passages import Passages
from acclimate.data.similarity.words import WordStreams

TEXTS = st.lists(st.lists(st.sampled_from("abcd"), max_size=12).map(" ".join), max_size=8)


@given(TEXTS, TEXTS, st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_occurrences_are_those_of_a_sorted_search_over_all_runs(texts: list[str], items: list[str], n: int) -> None:
    wanted, streams = Passages.of(WordStreams.of(items), n), WordStreams.of(texts)
    hashes, owners = streams.ngrams(n)
    known = np.isin(hashes, wanted.hashes)
    found_in, places = wanted.occurrences(streams)
    assert found_in.tolist() == owners[known].tolist()
    assert wanted.hashes[places].tolist() == hashes[known].tolist()


def test_more_occurrences_than_there_was_room_for_are_all_returned() -> None:
    wanted = Passages.of(WordStreams.of(["a b c"]), 3)
    owners, places = wanted.occurrences(WordStreams.of(["x", "a b c " * 5_000]))
    assert len(owners) == 5_000
    assert set(owners.tolist()) == {1}
    assert set(places.tolist()) == {0}


def test_a_table_of_many_runs_loses_none_and_adds_none() -> None:
    random = np.random.default_rng(1729)
    numbers = random.permutation(40_000).tolist()
    texts = [" ".join(f"w{number}" for number in numbers[start : start + 20]) for start in range(0, 40_000, 20)]
    wanted = Passages.of(WordStreams.of(texts[:1_000]), 13)
    owners, _ = wanted.occurrences(WordStreams.of(texts))
    assert sorted(set(owners.tolist())) == list(range(1_000))
    assert len(owners) == 8 * 1_000


def test_a_hash_of_zero_is_a_hash_like_any_other() -> None:
    from acclimate.data.kernels.passage_scan import index, scan

    hashes = np.array([0, 7], dtype=np.uint64)
    words, starts = np.array([0, 7, 5], dtype=np.uint64), np.array([0, 3], dtype=np.int64)
    owners, places = scan(words, starts, 1, np.uint64(3), hashes, *index(hashes))
    assert (owners.tolist(), places.tolist()) == ([0, 0], [0, 1])
