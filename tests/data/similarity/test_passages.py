"""Passages: against looking at every run of words of every text."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.data.similarity.passages import Passages, sharing
from acclimate.data.similarity.words import WordStreams, words

TEXTS = st.lists(st.lists(st.sampled_from("abc"), max_size=8).map(" ".join), max_size=6)


@given(TEXTS, TEXTS, st.integers(1, 4))
@settings(deadline=None)
def test_sharing_is_what_comparing_all_passages_finds(left: list[str], right: list[str], n: int) -> None:
    expected = [
        [one, other]
        for one, text in enumerate(left)
        for other, item in enumerate(right)
        if _passages(text, n) & _passages(item, n)
    ]
    assert sharing(WordStreams.of(left), WordStreams.of(right), n).tolist() == expected


@given(TEXTS, TEXTS, st.integers(1, 4))
@settings(deadline=None)
def test_a_passage_counts_once_in_each_document(documents: list[str], texts: list[str], n: int) -> None:
    found = Passages.of(WordStreams.of(documents), n).most_documents(WordStreams.of(texts))
    expected = [
        max((sum(run in _passages(document, n) for document in documents) for run in _passages(text, n)), default=0)
        for text in texts
    ]
    assert found.tolist() == expected


def test_no_texts_share_nothing() -> None:
    nothing = WordStreams.of([])
    assert sharing(nothing, nothing, 13).shape == (0, 2)
    assert np.array_equal(Passages.of(nothing, 13).most_documents(WordStreams.of(["a b"])), [0])


def _passages(text: str, n: int) -> set[tuple[str, ...]]:
    found = words(text)
    return {tuple(found[i : i + n]) for i in range(len(found) - n + 1)}
