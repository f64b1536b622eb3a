"""Changes that keep the meaning."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from acclimate.model.scoring.perturbations import lower_case, spacing, typos

TEXT = "Return the sorted indices of an array along its last axis. "


def test_typos_swap_two_inner_letters_of_a_word() -> None:
    changed = typos(TEXT, random.Random(1))
    places = [n for n, (a, b) in enumerate(zip(TEXT, changed, strict=True)) if a != b]
    assert len(places) == 2
    assert places[1] == places[0] + 1
    assert TEXT[places[0] - 1].isalpha()


def test_spacing_doubles_single_spaces_and_leaves_the_end_alone() -> None:
    changed = spacing(TEXT, random.Random(1))
    assert len(changed) == len(TEXT) + 1
    assert changed.split() == TEXT.split()
    assert changed.endswith("axis. ")


def test_lower_case_has_no_capitals() -> None:
    assert lower_case("Return A.", random.Random(1)) == "return a."


def test_what_has_nothing_to_change_stays() -> None:
    assert typos("a b 12", random.Random(1)) == "a b 12"
    assert spacing("word", random.Random(1)) == "word"


@given(st.text(max_size=60), st.integers(0, 9))
def test_a_change_neither_adds_nor_removes_letters(text: str, seed: int) -> None:
    assert sorted(typos(text, random.Random(seed))) == sorted(text)
    assert spacing(text, random.Random(seed)).replace(" ", "") == text.replace(" ", "")
