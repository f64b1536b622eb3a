"""text_bytes: what is counted in many texts at once is what is counted in each."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from acclimate.data.mixing.text_bytes import per_text, preceded, text_bytes

Texts = st.lists(st.text(max_size=20) | st.none(), max_size=8)


@given(Texts, st.integers(0, 3))
def test_bytes_and_bounds_are_those_of_the_texts_of_a_slice_too(texts: list[str | None], skipped: int) -> None:
    raw, bounds = text_bytes(pa.array(texts, type=pa.string()).slice(skipped))
    found = [bytes(raw[begin:end]).decode() for begin, end in pairwise(bounds)]
    assert found == [text or "" for text in texts[skipped:]]


@given(Texts)
def test_a_count_per_text_is_that_of_the_text_alone(texts: list[str | None]) -> None:
    raw, bounds = text_bytes(pa.array(texts, type=pa.string()))
    counts = per_text(np.flatnonzero(raw == ord("a")), bounds)
    assert counts.tolist() == [(text or "").count("a") for text in texts]


def test_nothing_precedes_the_first_byte_of_a_text() -> None:
    raw, bounds = text_bytes(pa.array(["ab", "", "ba"]))
    assert preceded(raw == ord("b"), bounds).tolist() == [False, False, False, True]
