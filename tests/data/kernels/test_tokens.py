"""The compiled tokeniser says what `words` says, whatever the text, and never reads beyond it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from acclimate.data.kernels.buffers import of_column, of_strings
from acclimate.data.kernels.code_points import code_point_table
from acclimate.data.kernels.tokens import WORDS_PER_BYTE, ascii_steps, hash_texts, hash_words, salt
from acclimate.data.similarity.words import words

SALT = salt(1729)
CHARACTERS = st.characters(exclude_categories=["Cs"])
# Letters that fold in several steps, decompose, stand alone, are skipped, or change when joined to the next.
AWKWARD = st.sampled_from(
    "aB__9 .\uff3fİßẞΣςﬁﬃ½²Ⅳ㍿㌖"
    "가각\u1100\u1161e\u0301\u0323\u0315é\u00ad\u200b\ufe0f´¨ヷガ\u3099深กำހިः\U0001d7ce\U00020000"
)


def _hashes(texts: list[str]) -> list[list[int]]:
    hashes, starts = hash_texts(*of_strings(texts), *code_point_table(), SALT)
    return [hashes[starts[i] : starts[i + 1]].tolist() for i in range(len(texts))]


@given(st.lists(st.text(CHARACTERS | AWKWARD, max_size=40), max_size=6))
@example(["don´t ½İﬃ", "", "a\u0323\u0301 a\u0301\u0323"])
@example(["_a_ __b_c__d__", "_", "é_\uff3f é_\u00ad", "_深_a_½_\u0301"])
@settings(max_examples=300, deadline=None)
def test_tokens_are_the_words(texts: list[str]) -> None:
    expected = [words(text) for text in texts]
    vocabulary = sorted({word for found in expected for word in found})
    hashed = dict(zip(vocabulary, _hashes(vocabulary), strict=True))
    assert all(len(hashes) == 1 for hashes in hashed.values())
    assert _hashes(texts) == [[hashed[word][0] for word in found] for found in expected]
    assert len({hashes[0] for hashes in hashed.values()}) == len(vocabulary)


def test_every_code_point_that_is_not_an_ideograph_is_treated_as_the_reference_does() -> None:
    # The blocks left out hold ideographs, syllables and nothing; the property above draws from them too.
    texts = [f"a{chr(point)}b" for block in (range(0x3400), range(0xF900, 0x20000)) for point in block]
    expected = [words(text) for text in texts]
    found = _hashes(texts)
    assert [len(hashes) for hashes in found] == [len(of_text) for of_text in expected]
    names: dict[int, str] = {}
    for hashes, of_text in zip(found, expected, strict=True):
        for one, word in zip(hashes, of_text, strict=True):
            assert names.setdefault(one, word) == word
    assert len(set(names.values())) == len(names)


@given(st.binary(max_size=60))
@settings(deadline=None)
def test_bytes_that_are_no_utf8_stay_within_bounds(data: bytes) -> None:
    out = np.zeros(WORDS_PER_BYTE * len(data) + 3, dtype=np.uint64)
    text = np.frombuffer(data + "é".encode(), dtype=np.uint8)
    tables = code_point_table()
    count = hash_words(text, 0, len(data), *tables, SALT, ascii_steps(tables[0], SALT), out)
    assert 0 <= count <= WORDS_PER_BYTE * len(data) + 1
    assert not out[WORDS_PER_BYTE * len(data) + 1 :].any()


def test_no_text_has_more_words_than_there_is_room_for() -> None:
    text = "㌖" * 50
    assert len(words(text)) <= WORDS_PER_BYTE * len(text.encode())
    assert len(_hashes([text])[0]) == len(words(text))


def test_another_seed_gives_other_hashes() -> None:
    one, other = (hash_texts(*of_strings(["same words"]), *code_point_table(), salt(seed))[0] for seed in (1, 2))
    assert not set(one.tolist()) & set(other.tolist())


def test_arrow_columns_are_read_in_place_chunk_by_chunk() -> None:
    column = pa.chunked_array([pa.array(["zero", "one two", None, "drei"]).slice(1), pa.array(["é"])])
    found = []
    for data, offsets in of_column(column):
        hashes, starts = hash_texts(data, offsets, *code_point_table(), SALT)
        found += [hashes[starts[i] : starts[i + 1]].tolist() for i in range(len(starts) - 1)]
    assert found == _hashes(["one two", "", "drei", "é"])
    assert list(of_column(pa.chunked_array([], type=pa.large_string()))) == []
