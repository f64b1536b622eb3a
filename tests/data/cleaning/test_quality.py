import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.data.cleaning.quality import DECISIVE, RULES, _repeated_ngram_characters, score

PROSE = "The indices that sort an array are returned, and they have the shape of the array that was given to it. "
DOCSTRING = """numpy.zeros

Return a new array of given shape and type, filled with zeros.

Parameters
----------
shape : int or tuple of ints
    Shape of the new array, e.g., ``(2, 3)`` or ``2``.
dtype : data-type, optional
    The desired data-type for the array, e.g., `numpy.int8`.  Default is
    `numpy.float64`.

Returns
-------
out : ndarray
    Array of zeros with the given shape, dtype, and order.

Examples
--------
>>> np.zeros(5)
array([ 0.,  0.,  0.,  0.,  0.])
"""


def _lines(template: str, count: int = 60) -> str:
    return "\n".join(template.format(number) for number in range(count))


def test_prose_passes_every_rule() -> None:
    text = (
        f"{PROSE}\nMore of it follows in other words, with a line of its own that says what the keys are for.\n"
        "Nothing is copied unless you ask for it, and then only the part that you named is read from the disk."
    )
    assert score(text).failed == []


def test_a_docstring_with_parameters_and_an_example_is_kept() -> None:
    found = score(DOCSTRING)
    assert not DECISIVE.intersection(found.failed)
    assert found.value >= 0.5


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("a b c d e f g h", "mean_word_length"),
        ("extraordinarily incomprehensible misunderstandings", "mean_word_length"),
        ("one # two # three # four", "symbol_to_word_ratio"),
        ("word 12 13 14 15 16", "alphabetic_words"),
        ("very good very good very good very good", "frequent_ngram"),
        ("Lorem ipsum dolor sit amet", "placeholder"),
        (_lines("value {} kelvin pascal"), "stop_words"),
        (_lines("- the number {} of the list that we have"), "bullet_lines"),
        (_lines("the number {} of the list that we have..."), "ellipsis_lines"),
        (f"{PROSE}\n" * 9, "duplicate_lines"),
        (f"{PROSE}\n" * 9, "duplicate_line_characters"),
        (f"{PROSE}\n\n" * 9, "duplicate_paragraphs"),
        (f"{PROSE}{PROSE}\n\n" * 2 + _lines("One of the {} short paragraphs.\n", 4), "duplicate_paragraph_characters"),
        (" ".join(f"{number}: the same seven words again and again" for number in range(20)), "duplicate_ngrams"),
        (_lines("the number {} of the list that we have to read"), "sentence_lines"),
        (_lines("to be {} of it."), "short_lines"),
    ],
)
def test_each_rule_finds_what_it_is_for(text: str, rule: str) -> None:
    assert rule in score(text).failed


def test_every_rule_is_covered_above() -> None:
    mark = test_each_rule_finds_what_it_is_for.pytestmark[0]  # type: ignore[attr-defined]
    assert {rule for _, rule in mark.args[1]} == set(RULES)
    assert len(RULES) == 15


@pytest.mark.parametrize(
    "junk",
    [
        _lines("0.1{0} 0.2{0} 0.3{0} 0.4{0}"),
        _lines("2026-01-01 12:00:{:02d} INFO GET /index 200"),
        _lines("{:08x}deadbeef0badf00d"),
        "Home\nAbout\nContact\nLogin\n" * 20,
        "Buy now, the best offer of the year!\n" * 40,
    ],
)
def test_tables_logs_dumps_menus_and_repetitions_are_rejected_by_a_rule_alone(junk: str) -> None:
    assert DECISIVE.intersection(score(junk).failed)


def test_nothing_scores_nothing() -> None:
    assert score(" \n ").value == 0.0


def test_a_rule_about_lines_says_nothing_of_a_short_text() -> None:
    assert "short_lines" not in score("Sorts.\nFast.\nStable.").failed


@given(st.text())
def test_a_score_is_the_share_of_applied_rules_that_pass(text: str) -> None:
    found = score(text)
    assert 0 <= found.value <= 1
    assert (found.value == 1) == (not found.failed)


def test_a_word_of_several_repeated_ngrams_counts_once() -> None:
    words = ["the", "kiln", "is", "hot", "and", "the", "glaze", "is", "wet"]
    assert _repeated_ngram_characters(words * 2, 5) == sum(map(len, words))
    assert _repeated_ngram_characters(words, 5) == 0


@given(st.lists(st.sampled_from(["a", "bb", "ccc"]), max_size=60), st.integers(5, 9))
def test_what_longer_ngrams_cover_shorter_ones_cover_too(words: list[str], n: int) -> None:
    assert _repeated_ngram_characters(words, n + 1) <= _repeated_ngram_characters(words, n)
