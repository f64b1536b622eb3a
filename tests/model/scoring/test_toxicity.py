"""Profane words by the lists of a library."""

from __future__ import annotations

import pytest

from acclimate.core.errors import UserError
from acclimate.model.scoring.toxicity import profane, toxicity


def test_words_are_found_whole_and_in_any_case() -> None:
    found = profane(["What BULLSHIT.", "Assume the analysis of a class passes.", ""], ["english"])
    assert found == [["bullshit"], [], []]


def test_answers_and_references_are_counted_apart() -> None:
    found = toxicity(["bullshit", "bullshit", "fine"], ["fine"] * 3, list("abc"), ["english"], seed=1)
    assert found.generated.value == pytest.approx(2 / 3, abs=1e-6)
    assert found.references.value == 0
    assert found.words == {"bullshit": 2}
    assert found.lexicon.startswith("glin-profanity ")


def test_a_language_without_a_list_is_named_with_those_that_have_one() -> None:
    with pytest.raises(UserError, match=r"names klingon.*\n?") as fault:
        profane(["text"], ["english", "klingon"])
    assert "english" in str(fault.value)
