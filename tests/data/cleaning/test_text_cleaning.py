import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.data.cleaning.text_cleaning import clean_text, decode_entities


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("e\u0301t\u00e9", "\u00e9t\u00e9"),
        ("one\r\ntwo\rthree\u2028four", "one\ntwo\nthree\nfour"),
        ("a\x00b\x07c\u200bd\ufeffe\u00adf\u202eg", "abcdefg"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("ends in space  \t\n\u00a0\nnext", "ends in space\n\nnext"),
        ("a\n\n\n\n\n\nb", "a\n\n\nb"),
        ("a\n\n\nb", "a\n\n\nb"),
        ("\n\n  indented\n", "  indented"),
        ("\ttab", "\ttab"),
        ("e\u200b\u0301", "\u00e9"),
    ],
)
def test_what_no_reader_sees_goes_and_the_rest_stays(before: str, after: str) -> None:
    assert clean_text(before) == after


def test_joiners_stay_because_persian_and_emoji_are_spelt_with_them() -> None:
    for text in ("می\u200cخواهم", "👩\u200d💻"):
        assert clean_text(text) == text


@pytest.mark.parametrize(
    ("before", "after"),
    [("Tom &amp; Jerry", "Tom & Jerry"), ("it&#39;s &#x22;so&#x22;", 'it\'s "so"'), ("a&shy;b", "ab")],
)
def test_entities_left_over_from_a_web_page_are_decoded(before: str, after: str) -> None:
    assert clean_text(before) == after


@pytest.mark.parametrize(
    "text",
    [
        "<td>A &amp; B</td>",
        "`a &amp; b`",
        ">>> print('&lt;')",
        "Unescape &amp;, &lt;, and &gt; in a string.",
        "if (a && b) &lt; c",
        "R&D and AT&T;",
    ],
)
def test_entities_in_code_and_in_text_about_entities_are_meant(text: str) -> None:
    assert decode_entities(text) == text


@given(st.text())
def test_a_cleaned_text_is_normalised_and_has_no_ragged_edges(text: str) -> None:
    cleaned = clean_text(text)
    assert unicodedata.is_normalized("NFC", cleaned)
    assert "\n\n\n\n" not in cleaned
    assert all(line == line.rstrip() for line in cleaned.split("\n"))


@given(st.text(st.characters(exclude_characters="&")))
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    assert clean_text(clean_text(text)) == clean_text(text)


@pytest.mark.timeout(10)
def test_a_long_run_of_spaces_inside_a_line_stays_and_costs_no_time() -> None:
    text = "Table" + " " * 100_000 + "end"
    assert clean_text(text) == text


@given(st.text(st.sampled_from(" \t\u00a0\nab")))
def test_only_the_space_at_the_end_of_a_line_goes(text: str) -> None:
    kept = "\n".join(line.rstrip() for line in text.split("\n"))
    assert clean_text(text) == re.sub(r"\n{4,}", "\n\n\n", kept).strip("\n")
