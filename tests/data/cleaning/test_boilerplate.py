"""boilerplate: notices by their words, headers and footers by their number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.data.cleaning import boilerplate
from acclimate.data.cleaning.boilerplate import EdgeCounts, Stripped, count_edges, edge_lines, strip_boilerplate

HEADER = "The Potters' Weekly, founded 1921"


def _page(number: int, header: str = HEADER) -> str:
    body = "\n".join(f"Line {line} of page {number} has its own words." for line in range(8))
    return f"{header}\n{body}\nPage {number} ends."


@pytest.mark.parametrize(
    "notice",
    [
        "Skip to main content",
        "Share this article",
        "Share on Facebook",
        "This site uses cookies to improve your visit.",
        "We use cookies. Read our policy.",
        "Accept all cookies",
        "Home | About us | Contact us",
        "Privacy policy · Terms of use",
        "All rights reserved.",
        "Please enable JavaScript to view the comments.",
        "Read more...",
        "  « Back to top".replace("«", "»"),
    ],
)
def test_a_line_that_is_a_notice_goes(notice: str) -> None:
    assert strip_boilerplate(f"Fire the kiln.\n{notice}\nLet it cool.", frozenset()) == Stripped(
        "Fire the kiln.\nLet it cool.", {"notice": 1}
    )


@pytest.mark.parametrize(
    "line",
    [
        "A cookie is a small file that a server asks a browser to keep.",
        "http.cookies",
        "Share this object between threads with a lock.",
        "(c) Copyright CNRI, All Rights Reserved. NO WARRANTY.",
        "cookie_policy : CookiePolicy",
        "Log in to the server and run the command.",
        "The related work is in section 2.",
    ],
)
def test_a_line_that_speaks_of_such_things_stays(line: str) -> None:
    assert strip_boilerplate(line, frozenset()).lines == {}


def test_a_line_at_the_edge_of_many_documents_is_a_header() -> None:
    pages = [("paper", _page(number)) for number in range(30)]
    repeated = count_edges(pages).repeated(0.1)
    assert repeated == {"paper": frozenset({HEADER})}
    stripped = strip_boilerplate(_page(3), repeated["paper"])
    assert stripped.lines == {"repeated": 1}
    assert stripped.text.startswith("Line 0 of page 3")


def test_few_documents_and_other_sources_do_not_make_a_header() -> None:
    assert count_edges(("paper", _page(number)) for number in range(19)).repeated(0.1) == {"paper": frozenset()}
    pages = [(source, _page(number)) for source in ("one", "two") for number in range(15)]
    assert not any(count_edges(pages).repeated(0.1).values())


def test_the_same_line_inside_a_text_stays() -> None:
    lines = [f"Line {number} of it all." for number in range(9)]
    text = "\n".join([*lines[:5], HEADER, *lines[5:]])
    assert strip_boilerplate(text, frozenset({HEADER})).text == text


def test_headings_and_texts_of_two_lines_have_no_edges() -> None:
    last = {"Line 6 of page 1 has its own words.", "Line 7 of page 1 has its own words.", "Page 1 ends."}
    assert edge_lines("Examples\n--------\n" + _page(1)) == {HEADER, *last}
    assert edge_lines("One whole text.\nOf two lines only.") == set()


def test_counting_in_chunks_is_counting_at_once() -> None:
    pages = [("paper", _page(number)) for number in range(40)]
    merged = EdgeCounts()
    for start in range(0, 40, 7):
        merged.merge(count_edges(pages[start : start + 7]))
    assert merged.repeated(0.1) == count_edges(pages).repeated(0.1)


def test_few_counters_still_find_what_is_frequent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boilerplate, "_COUNTERS", 50)
    pages = [
        ("paper", _page(number, HEADER if number % 4 else f"Other header {number} here.")) for number in range(400)
    ]
    counts = count_edges(pages)
    assert counts.repeated(0.5)["paper"] == frozenset({HEADER})


@given(st.text(st.sampled_from("ab \n")), st.frozensets(st.sampled_from(["a a a", "b b b"])))
def test_what_stays_stands_in_the_order_it_had(text: str, repeated: frozenset[str]) -> None:
    rest = iter(text.split("\n"))
    assert all(line in rest for line in strip_boilerplate(text, repeated).text.split("\n") if line)
