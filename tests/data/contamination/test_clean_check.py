"""The check of what is written: says the same as comparing the words of every text with those of every item."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.data.contamination.clean_check import CleanCheck
from acclimate.data.contamination.item_overlaps import MIN_WORDS
from acclimate.data.similarity.words import WordStreams, words

LONG = "Before the glaze is put on, the pots are fired once at nine hundred and fifty degrees."
TEXTS = st.lists(st.lists(st.sampled_from("abc"), max_size=14).map(" ".join), max_size=5)


def _unclean(items: list[str], texts: list[str], passage_words: int, questions: list[str] | None = None) -> list[int]:
    streams = WordStreams.of(texts), WordStreams.of(questions or [""] * len(texts))
    found: list[int] = CleanCheck.of(items, passage_words).unclean(*streams).tolist()
    return found


def test_every_text_that_holds_an_item_is_named() -> None:
    texts = {
        "clean": "Nothing of the kind stands in this text, however long one reads on and on.",
        "passage": f"It is said: {LONG.upper()}",
        "short": "First: celadon owes its green to iron; then the rest.",
        "whole": "What is raku?",
        "asked": "Question: What is raku? Answer: a kind of firing.",
        "inside": "He asked what is raku and nobody knew.",
    }
    questions = ["what is RAKU" if name == "asked" else "" for name in texts]
    items = [LONG, "Celadon owes its green to iron.", "What is raku?", "?!", ""]
    assert _unclean(items, list(texts.values()), 13, questions) == [1, 2, 3, 4]


@given(TEXTS, TEXTS, st.integers(1, 13))
@settings(max_examples=60, deadline=None)
def test_what_is_found_is_what_comparing_all_words_finds(items: list[str], texts: list[str], passage: int) -> None:
    def runs(text: str, length: int) -> set[tuple[str, ...]]:
        found = words(text)
        return {tuple(found[start : start + length]) for start in range(len(found) - length + 1)}

    def holds(text: str, item: str) -> bool:
        length = len(words(item))
        if length < MIN_WORDS:
            return length > 0 and words(text) == words(item)
        needed = min(length, passage)
        return bool(runs(text, needed) & runs(item, needed))

    assert _unclean(items, texts, passage) == [
        place for place, text in enumerate(texts) if any(holds(text, item) for item in items)
    ]


@pytest.mark.parametrize("common", [4, 5, 12])
def test_very_many_items_with_one_opening_are_told_apart(common: int) -> None:
    opening = " ".join(f"open{number}" for number in range(common))
    items = [f"{opening} own{number} a b c d e f g h i j k l" for number in range(5_000)]
    texts = [f"{opening} other x y z", f"{opening} own4711 a b c d e f g h i j k l"]
    assert _unclean(items, texts, 13) == [1]


def test_no_item_and_no_text_are_clean() -> None:
    assert _unclean([], ["a b c d e f"], 13) == []
    assert _unclean(["a b c d e f"], [], 13) == []
    assert np.array_equal(_unclean(["?"], ["?"], 13), [])
