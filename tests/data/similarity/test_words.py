"""Words: what counts as the same word, and n-grams that never cross from one text into the next."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.data.similarity.words import WordStreams, opening, ranges, word_places, words

TEXTS = st.lists(st.text(alphabet="ab \u00a0.é", max_size=30), max_size=8)


@pytest.mark.parametrize(
    ("written", "same_as"),
    [
        ("Returns THE Index.", "returns the index"),
        ("a\u00a0b\u2003c\nd", "a b c d"),
        ("re\u00adpeat zero\u200bwidth", "repeat zerowidth"),
        ("cafe\u0301 ﬁle Ⅳ", "café file iv"),
        ("STRASSE", "straße"),
        ("“quoted” — it’s", "quoted it s"),
        ("n_samples, n-features", "n_samples n features"),
        ("_emphasised words_ and __strong__ ones", "emphasised words and strong ones"),
        ("_n_samples_ of a__b \uff3f\u00adc\uff3f ___", "n_samples of a__b c"),
    ],
)
def test_writing_the_same_differently_makes_no_difference(written: str, same_as: str) -> None:
    assert words(written) == words(same_as)


def test_scripts_without_spaces_are_cut_into_characters() -> None:
    assert words("深度学习 model") == ["深", "度", "学", "习", "model"]


def test_combining_marks_stay_inside_their_word() -> None:
    assert words("हिन्दी भाषा") == ["हिन्दी", "भाषा"]


@given(st.text())
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = words(text)
    assert words(" ".join(once)) == once


@given(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("a_ ½㍿深é\u0301\u00ad")))
def test_where_words_stand_is_what_they_are_made_of(text: str) -> None:
    places = word_places(text)
    assert [word for word, _, _ in places] == words(text)
    assert all(set(word) <= set("".join(words(text[start:end]))) for word, start, end in places)


def test_an_opening_ends_where_a_word_ends() -> None:
    assert opening("one two three", 9) == "one two"
    assert opening("one two three", 7) == "one two"
    assert opening("one two", 7) == "one two"


def test_an_opening_inside_one_endless_word_is_cut_all_the_same() -> None:
    assert opening("a" * 50, 20) == "a" * 20


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("é", ["e\u0301"]),
        ("e", ["e"]),
        ("don´t", ["don", "t"]),
        ("❤\ufe0f️ x", ["x"]),
        ("½ ㍿", ["1", "2", "株", "式", "会", "社"]),
        ("\ud800 a", ["a"]),
    ],
)
def test_a_code_point_is_folded_by_itself(text: str, found: list[str]) -> None:
    assert words(text) == found


@given(TEXTS, st.integers(1, 4))
@settings(deadline=None)
def test_ngrams_are_those_of_each_text_by_itself(texts: list[str], n: int) -> None:
    streams = WordStreams.of(texts)
    hashes, owners = streams.ngrams(n)
    expected = [(text, tuple(found[i : i + n])) for text, found in _words(texts) for i in range(len(found) - n + 1)]
    assert owners.tolist() == [text for text, _ in expected]
    # Equal hashes where the n-grams are equal, and only there.
    assert len(set(hashes.tolist())) == len({ngram for _, ngram in expected})
    assert len(set(zip(hashes.tolist(), [ngram for _, ngram in expected], strict=True))) == len(set(hashes.tolist()))


@given(TEXTS)
@settings(deadline=None)
def test_a_whole_text_hashes_like_the_ngram_it_is(texts: list[str]) -> None:
    streams = WordStreams.of(texts)
    for text, found in _words(texts):
        if found:
            assert streams.whole(np.array([text]))[0] == WordStreams.of([texts[text]]).ngrams(len(found))[0][0]


@given(TEXTS)
@settings(deadline=None)
def test_taking_texts_is_like_starting_with_them(texts: list[str]) -> None:
    chosen = [index for index in range(len(texts)) if index % 2 == 0][::-1]
    taken, direct = (
        WordStreams.of(texts).take(np.array(chosen, dtype=np.int64)),
        WordStreams.of(texts[i] for i in chosen),
    )
    assert taken.hashes.tolist() == direct.hashes.tolist()
    assert taken.starts.tolist() == direct.starts.tolist()


def test_ranges_follow_each_other() -> None:
    assert ranges(np.array([5, 0, 9]), np.array([2, 0, 3])).tolist() == [5, 6, 9, 10, 11]


def _words(texts: list[str]) -> list[tuple[int, list[str]]]:
    return [(index, words(text)) for index, text in enumerate(texts)]
