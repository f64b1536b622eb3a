"""complexity: length, unfamiliar words and domain terms, each counted as said."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.data.evaluation.complexity import LONG_WORDS, MANY_CONCEPTS, Vocabulary

VOCABULARY = Vocabulary(frozenset(["what", "is", "a", "the"]), frozenset(["kiln", "glaze", "clay"]))


def test_concepts_are_domain_terms_once_each_in_order_of_appearance() -> None:
    assert VOCABULARY.concepts("Glaze the kiln, then the GLAZE of clay_body") == ["glaze", "kiln", "clay"]


def test_the_score_is_the_mean_of_its_three_parts() -> None:
    # Six words, two of them unfamiliar, two terms.
    expected = (6 / LONG_WORDS + 2 / 6 + 2 / MANY_CONCEPTS) / 3
    assert VOCABULARY.complexity("What is a kiln?", "The glaze.") == round(expected, 4)


def test_a_text_without_words_is_not_complex() -> None:
    assert VOCABULARY.complexity("?", "") == 0


@settings(deadline=None)  # the first text that is not ASCII builds the Unicode tables
@given(st.text(), st.text())
def test_the_score_is_between_0_and_1(question: str, answer: str) -> None:
    assert 0 <= VOCABULARY.complexity(question, answer) <= 1


def test_terms_are_those_of_the_domain_and_familiar_words_those_of_general_text(corpus: list[dict[str, Any]]) -> None:
    vocabulary = Vocabulary.of(corpus)
    assert vocabulary.terms == {
        f"{a}{b}{c}" for a in ("gla", "kil", "cer") for b in ("zi", "no", "pa") for c in ("ft", "rb", "ck")
    }
    general = {word for row in corpus if row["domain"] == "general" for word in row["text"].split()}
    assert vocabulary.familiar == general
