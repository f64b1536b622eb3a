from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from acclimate.serving.wording import Wording


def by_bytes(tokens: list[int]) -> str:
    """A tokenizer of one token per byte: a character is finished by its last."""
    return bytes(tokens).decode(errors="replace")


def pieces(text: str, *stop: str) -> tuple[list[str], Wording]:
    wording, tokens, given_out = Wording(by_bytes, stop), list(text.encode()), []
    for end in range(1, len(tokens) + 1):
        given_out.append(wording.take(tokens[:end]))
        if wording.stopped:
            return given_out, wording
    return [*given_out, wording.rest()], wording


@given(st.text())
def test_the_pieces_are_the_text_and_no_character_is_torn(text: str) -> None:
    given_out, _ = pieces(text)
    assert "".join(given_out) == text
    assert "�" in text or not any("�" in piece for piece in given_out)


@given(st.text("ab\n"), st.lists(st.text("ab\n", min_size=1, max_size=3), min_size=1, max_size=3))
def test_the_text_ends_before_the_first_stop_string_however_it_was_torn(text: str, stop: list[str]) -> None:
    given_out, wording = pieces(text, *stop)
    # What is known after each token: the end of the first that is complete, then the earliest beginning.
    known = next((text[:end] for end in range(len(text) + 1) if any(one in text[:end] for one in stop)), None)
    expected = text if known is None else known[: min(known.index(one) for one in stop if one in known)]
    assert "".join(given_out) == expected == wording.text
    assert wording.stopped == (known is not None)


def test_what_may_be_the_beginning_of_a_stop_string_is_held_back_until_it_is_not() -> None:
    assert pieces("a\nb\n\nc", "\n\n")[0] == ["a", "", "\nb", "", ""]
