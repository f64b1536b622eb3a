"""The pieces of a stream say, all together, what redaction says of the whole text; however it is cut."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.data.cleaning.redaction import FINDERS, redact
from acclimate.serving.guardrails.withholding import LONGEST_KEY, Withholding, without_open_key

KINDS = list(FINDERS)
KEY = "-----BEGIN RSA PRIVATE KEY-----\n" + "\n".join(["MIIEow" + "Ab3/" * 14] * 6) + "\n-----END RSA PRIVATE KEY-----"
PERSONAL = (
    "4111 1111 1111 1111",
    "4111-1111-1111-1111",
    "4111111111111111",
    "ann@hill.org",
    "ann.b+c@mail.hill.co.uk",
    "ann [at] hill [dot] org",
    "ann AT hill DOT org",
    "ann [ at ] hill.org",
    "DE89 3704 0044 0532 0130 00",
    "GB29 NWBK 6016 1331 9268 19",
    "MT84 MALT 0110 0001 2345 MTLC AST0 01S",
    "+49 (0) 30 901820",
    "+49 30 90 18 20",
    "(212) 555-0187",
    "call me at 030 901820",
    "123-45-6789",
    "AB 12 34 56 C",
    "1 84 12 76 451 089 46",
    "ghp_" + "aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5",
    "password = 'h7Gk2LpQ9zXw'",
    "postgres://ann:h7Gk2LpQ@db.hill.org",
    "from host 185.199.108.153:443",
    "2a02:8108:8140:3a00::12",
    KEY,
)
PLAIN = (
    "the",
    "answer",
    "is",
    "I",
    "at",
    "dot",
    "[see",
    "below]",
    "1",
    "12",
    "5,",
    "-",
    "x.T",
    "a@b",
    "(or)",
    "NWBK",
    "é",
)
GAPS = (" ", " ", " ", "\n", "  ", ", ", ". ", "", "; ")


@st.composite
def cut_texts(draw: st.DrawFn) -> list[str]:
    """A text with personal data in it, in pieces."""
    words = draw(st.lists(st.sampled_from((*PLAIN, *PERSONAL)), max_size=12))
    text = "".join(word + draw(st.sampled_from(GAPS)) for word in words)
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=40)))
    return [text[first:last] for first, last in zip([0, *cuts], [*cuts, len(text)], strict=True)]


def whole(text: str) -> str:
    return without_open_key(redact(text, KINDS).text)


def streamed(pieces: list[str]) -> str:
    withholding = Withholding(KINDS)
    return "".join([*map(withholding.take, pieces), withholding.rest()])


@settings(max_examples=400, deadline=None)
@given(cut_texts())
def test_the_pieces_say_what_the_whole_says(pieces: list[str]) -> None:
    assert streamed(pieces) == whole("".join(pieces))


def test_letter_by_letter_nothing_personal_leaks() -> None:
    for personal in PERSONAL:
        text = f"You may say so: {personal} and then go on with it."
        assert streamed(list(text)) == whole(text)
        assert "[" in whole(text).replace(personal, ""), personal


def test_ordinary_words_lag_behind_by_two() -> None:
    withholding = Withholding(KINDS)
    given_out = [withholding.take(word) for word in ("Returns ", "the ", "indices ", "that ", "sort ")]
    assert given_out == ["", "Returns ", "the ", "indices ", "that "]
    assert withholding.rest() == "sort "


def test_a_script_without_spaces_is_not_held_back() -> None:
    withholding = Withholding(KINDS)
    assert withholding.take("配列を並べ替える添字を返します。") == "配列を並べ替える添字を返します。"


def test_without_kinds_everything_passes_at_once() -> None:
    withholding = Withholding([])
    assert (withholding.take("4111 1111 1111 "), withholding.rest()) == ("4111 1111 1111 ", "")


def test_a_private_key_that_the_answer_ends_in_the_middle_of_is_not_given_out() -> None:
    text = "Here it is:\n" + KEY[:200]
    assert streamed(list(text)) == whole(text) == "Here it is:\n[KEY]"


def test_what_only_begins_like_a_key_is_given_out_once_it_cannot_be_one() -> None:
    text = "-----BEGIN RSA PRIVATE KEY-----\n" + "ab " * (LONGEST_KEY // 3)
    assert streamed([text[start : start + 50] for start in range(0, len(text), 50)]) == text
    certificate = "-----BEGIN CERTIFICATE-----\nabc of it\n"
    assert streamed(list(certificate)) == certificate
