"""Hits: excerpts that put back together are the text, with exactly the shared runs marked."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.data.contamination.contamination_hits import CONTEXT_WORDS, SHOWN_WORDS, side_by_side
from acclimate.data.contamination.finds import PASSAGE, REPHRASED

ITEM = "The pots are fired once at nine hundred degrees."


def test_the_run_in_common_is_marked_in_both_whatever_its_case_and_punctuation() -> None:
    text, item = side_by_side("They say: the POTS are fired – once, at ten hundred degrees.", ITEM, PASSAGE)
    assert [stretch for stretch, marked in text if marked] == ["the POTS are fired – once, at"]
    assert [stretch for stretch, marked in item if marked] == ["The pots are fired once at"]


def test_a_run_in_a_script_without_spaces_is_marked() -> None:
    text, item = side_by_side("他说\uff1a陶器在窑里只烧一次。", "陶器在窑里只烧两次", PASSAGE)
    assert [stretch for stretch, marked in text if marked] == ["陶器在窑里只烧"]
    assert [stretch for stretch, marked in item if marked] == ["陶器在窑里只烧"]


def test_marks_and_emphasis_around_words_do_not_hide_a_run() -> None:
    text, _ = side_by_side("The _pots_ are __fired once__ हिन्दी at", "The pots are fired once हिन्दी", PASSAGE)
    assert [stretch for stretch, marked in text if marked] == ["The _pots_ are __fired once__ हिन्दी"]


def test_single_longer_words_are_marked_where_only_the_meaning_is_compared() -> None:
    text, _ = side_by_side("Degrees matter: nine pots of it.", ITEM, REPHRASED)
    assert [stretch for stretch, marked in text if marked] == ["Degrees", "nine pots"]


@settings(deadline=None)
@given(st.text(max_size=200), st.text(max_size=200), st.sampled_from([PASSAGE, REPHRASED]))
def test_a_short_text_is_shown_whole(text: str, item: str, rule: str) -> None:
    for given_text, segments in zip((text, item), side_by_side(text, item, rule), strict=True):
        shown = "".join(stretch for stretch, _ in segments)
        assert given_text.startswith(shown[: 2 * CONTEXT_WORDS]) or shown.startswith("…")


@pytest.mark.parametrize("before", [0, 10, 1000])
def test_of_a_long_text_the_part_around_the_overlap_is_shown(before: int) -> None:
    text, _ = side_by_side(f"{'before ' * before}{ITEM} {'after ' * 1000}", ITEM, PASSAGE)
    shown = "".join(stretch for stretch, _ in text)
    assert ITEM.rstrip(".") in shown
    assert len(shown.split()) <= SHOWN_WORDS + 2
    assert shown.startswith("… ") == (before > CONTEXT_WORDS)
    assert shown.endswith(" …")


def test_an_overlap_beyond_what_is_searched_is_shown_without_marks() -> None:
    text, _ = side_by_side("nothing " * 40_000 + ITEM, ITEM, PASSAGE)
    assert not any(marked for _, marked in text)
