"""How hard a text is to read: what its record says, else by LIX.

    LIX = words / sentences + 100 · long words / words        (Björnsson 1968, Läsbarhet)

A long word has more than six letters. Björnsson's scale puts easy texts around 30, medium ones around 40 and
difficult ones from 50 on. The index knows nothing of ideas, only of long words and sentences, and nothing
of scripts without spaces, where it says "hard"; a label from a person (`difficulty` in inputs/) goes before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from acclimate.data.mixing.text_bytes import per_text, preceded, text_bytes

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

GRADES = ("easy", "medium", "hard")
WANTED = (0.3, 0.5, 0.2)
"""Share of each grade in a balanced training set."""
_BATCH = 2048
"""Texts whose bytes are worked on at once."""
_BLANK, _END = (np.isin(np.arange(256), list(marks)) for marks in (b" \t\n\v\f\r", b".!?:"))
_LETTER = np.array([byte >= 128 or chr(byte).isalpha() for byte in range(256)])
MEDIUM_FROM, HARD_FROM = 40.0, 50.0
_OF_LABEL = (30.0, 45.0, 60.0)
"""Where a text of each grade stands on the scale when a label says so."""


def lix(texts: pa.Array) -> NDArray[np.float64]:
    """The readability index of every text, [texts]; 0 for a text without words."""
    parts = [_lix(texts.slice(start, _BATCH)) for start in range(0, len(texts), _BATCH)]
    return np.concatenate([np.empty(0), *parts])


def _lix(texts: pa.Array) -> NDArray[np.float64]:
    """`lix` of few enough texts to hold some arrays of their bytes.

    A word is what stands between white space. A sentence ends with a point, colon, question or exclamation mark
    before white space or the text's end. Letters are those of ASCII, and every character beyond it.
    """
    raw, bounds = text_bytes(texts)
    blank, letter = _BLANK[raw], _LETTER[raw]
    words = per_text(np.flatnonzero(~blank & ~preceded(~blank, bounds)), bounds)
    closes = np.append(blank[1:], True)
    closes[bounds[1:][np.diff(bounds) > 0] - 1] = True
    # Code and tables have words but no sentence's end: then the whole text is one sentence.
    sentences = np.maximum(per_text(np.flatnonzero(_END[raw] & closes), bounds), 1)
    long_words = per_text(_long_runs(raw, letter, bounds), bounds)
    index: NDArray[np.float64] = words / sentences + 100 * long_words / np.maximum(words, 1)
    return index


def _long_runs(raw: NDArray[np.uint8], letter: NDArray[np.bool_], bounds: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where runs of more than six letters begin."""
    starts = np.flatnonzero(letter & ~preceded(letter, bounds))
    # Every byte of UTF-8 but a continuation (10xxxxxx) begins a character.
    characters = np.concatenate([[0], np.cumsum(letter & ((raw & 0xC0) != 0x80))])
    long_ones: NDArray[np.int64] = starts[characters[np.append(starts[1:], len(raw))] - characters[starts] > 6]
    return long_ones


def hardness(texts: pa.Array, labels: pa.Array) -> NDArray[np.float64]:
    """How hard every text is on the scale of LIX, [texts]; a label that is one of GRADES goes before the index."""
    import pyarrow as pa
    import pyarrow.compute as pc

    named = pc.index_in(pc.utf8_lower(labels), value_set=pa.array(GRADES))
    given = pc.fill_null(named, -1).to_numpy(zero_copy_only=False)
    return np.where(given >= 0, np.take(_OF_LABEL, given), lix(texts))


def grades(hard: NDArray[np.float64]) -> NDArray[np.int8]:
    """The place in GRADES of every hardness, [texts]."""
    return (hard >= MEDIUM_FROM).astype(np.int8) + (hard >= HARD_FROM).astype(np.int8)
