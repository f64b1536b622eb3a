"""Words of UTF-8 texts as hashes: `words.words` compiled.

    hashes, starts = hash_texts(data, offsets, *code_point_table(), salt(seed=1729))

A word's hash is a polynomial over its folded code points with a secret start and multiplier, finished by
MurmurHash3's 64-bit finaliser (Appleby, public domain). Both come from the seed: who does not know it
cannot write texts whose different words collide. Underscores that open a word are passed over, and while
some may turn out to end it, the hash up to them is kept. Bytes that are no UTF-8 are read as code points
all the same, never beyond the text's end.

Where words end cannot be predicted, and a processor that guesses wrong loses as much time as ten letters take. So
ASCII is read without a branch: each byte looks up what it does (`ascii_steps`), and the hash so far is written at
every byte, to stay where a word has ended.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from acclimate.data.kernels.code_points import EXPANDS, SINGLE, SIZE, SKIPPED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Hashes = NDArray[np.uint64]
    Points = NDArray[np.uint32]
    Places = NDArray[np.int64]

WORDS_PER_BYTE = 3
"""More than any text has: the worst is a squared katakana word, seven words in three bytes."""
UNDERSCORE = ord("_")


def salt(seed: int) -> Hashes:
    """[3]: where a word's hash starts, and the odd multipliers of words and of n-grams."""
    drawn = np.frombuffer(blake2b(f"acclimate words {seed}".encode(), digest_size=24).digest(), dtype=np.uint64).copy()
    drawn[1:] |= np.uint64(1)
    return drawn


@njit(cache=True, nogil=True, inline="always")
def finish(state: np.uint64) -> np.uint64:
    """Spread every bit of `state` over the whole hash."""
    state ^= state >> np.uint64(33)
    state *= np.uint64(0xFF51AFD7ED558CCD)
    state ^= state >> np.uint64(33)
    state *= np.uint64(0xC4CEB9FE1A85EC53)
    return state ^ (state >> np.uint64(33))


@njit(cache=True, nogil=True)
def decode(data: Bytes, place: int, end: int) -> tuple[np.int64 | int, int]:
    """The code point of the multi-byte sequence at `place`, and how many bytes it takes."""
    first = np.int64(data[place])
    following = 1 if first < 0xE0 else 2 if first < 0xF0 else 3
    if first < 0xC0 or place + following >= end:
        return 0, 1
    point = first & (0x3F >> following)
    for step in range(1, following + 1):
        point = (point << 6) | (np.int64(data[place + step]) & 0x3F)
    return (point if point < SIZE else 0), following + 1


@njit(cache=True, nogil=True)
def ascii_steps(points: Points, salted: Hashes) -> Hashes:
    """[128, 4]: what an ASCII byte does to the hash of the open word, for `hash_words`.

    Of each byte: what the hash is mixed with; ones if it continues a word, ones if it is the underscore, which only
    continues one that is open, else zeros; 1 if it separates words.
    """
    steps = np.zeros((128, 4), dtype=np.uint64)
    for point in range(128):
        entry = points[point]
        steps[point, 0] = salted[0] ^ np.uint64(entry)
        if entry == np.uint32(UNDERSCORE):
            steps[point, 2] = ~np.uint64(0)
        elif entry:
            steps[point, 1] = ~np.uint64(0)
        else:
            steps[point, 3] = np.uint64(1)
    return steps


@njit(cache=True, nogil=True)
def _add(
    entry: np.uint32,
    state: np.uint64,
    whole: np.uint64,
    begin: np.uint64,
    multiplier: np.uint64,
    count: np.uint64,
    out: Hashes,
) -> tuple[np.uint64, np.uint64, np.uint64]:
    """Continue or end the open word, given a table entry that does not expand.

    `state` is the hash of what was read of it, `whole` that up to its last character that is no underscore; both, and
    what is written, less `begin`, so that 0 is a word that has not begun.
    """
    continued = (state ^ begin ^ np.uint64(entry)) * multiplier ^ begin
    if entry == np.uint32(UNDERSCORE):
        return (np.uint64(0) if state == np.uint64(0) else continued), whole, count
    if np.uint32(0) < entry < np.uint32(SINGLE):
        return continued, continued, count
    if entry & np.uint32(SKIPPED):
        return state, whole, count
    if state != np.uint64(0):
        out[count] = whole
        count += np.uint64(1)
    if entry & np.uint32(SINGLE):
        out[count] = (begin ^ np.uint64(entry & np.uint32(SINGLE - 1))) * multiplier ^ begin
        count += np.uint64(1)
    return np.uint64(0), np.uint64(0), count


@njit(cache=True, nogil=True)
def hash_words(
    data: Bytes,
    start: int,
    end: int,
    points: Points,
    expansions: Points,
    salted: Hashes,
    steps: Hashes,
    out: Hashes,
) -> int:
    """Write the hashes of the words of data[start:end] to `out`, and return how many there are.

    `out` has room for WORDS_PER_BYTE * (end - start) + 1 hashes; `steps` is ascii_steps(points, salted).
    """
    begin, multiplier = salted[0], salted[1]
    # Unsigned, as an index that may be negative is looked at twice.
    place, last, count = np.uint64(start), np.uint64(end), np.uint64(0)
    state, whole = np.uint64(0), np.uint64(0)  # less `begin`, as in _add
    while place < last:
        byte = np.uint64(data[place])
        if byte < np.uint64(0x80):
            underscore, open_word = steps[byte, 2], np.uint64(state != np.uint64(0))
            out[count] = whole
            count += steps[byte, 3] & open_word
            state = ((state ^ steps[byte, 0]) * multiplier ^ begin) & (
                steps[byte, 1] | (underscore & (np.uint64(0) - open_word))
            )
            whole = (whole & underscore) | (state & ~underscore)
            place += np.uint64(1)
            continue
        point, width = decode(data, np.int64(place), end)
        place += np.uint64(width)
        entry = points[point]
        if entry & np.uint32(EXPANDS):
            first = np.int64(entry & np.uint32(EXPANDS - 1))
            for step in range(first + 1, first + 1 + np.int64(expansions[first])):
                state, whole, count = _add(expansions[step], state, whole, begin, multiplier, count, out)
        else:
            state, whole, count = _add(entry, state, whole, begin, multiplier, count, out)
    if state != np.uint64(0):
        out[count] = whole
        count += np.uint64(1)
    for word in range(count):
        out[word] = finish(out[word] ^ begin)
    return int(np.int64(count))  # an unsigned count would make floats of what is reckoned with it


@njit(cache=True, nogil=True)
def longest(offsets: Places) -> int:
    """Bytes of the longest text."""
    most = 0
    for text in range(len(offsets) - 1):
        most = max(most, offsets[text + 1] - offsets[text])
    return most


@njit(cache=True, nogil=True)
def hash_texts(
    data: Bytes, offsets: Places, points: Points, expansions: Points, salted: Hashes
) -> tuple[Hashes, Places]:
    """The words of all texts.

    Returns:
        The hash of each word [words] and where each text starts among them [texts + 1].
    """
    texts = len(offsets) - 1
    scratch = np.empty(WORDS_PER_BYTE * longest(offsets) + 1, dtype=np.uint64)
    hashes = np.empty((offsets[texts] - offsets[0]) // 2 + texts, dtype=np.uint64)
    starts, steps = np.zeros(texts + 1, dtype=np.int64), ascii_steps(points, salted)
    for text in range(texts):
        count = hash_words(data, offsets[text], offsets[text + 1], points, expansions, salted, steps, scratch)
        first = starts[text]
        if first + count > len(hashes):
            # Two bytes a word was not enough: many words of one character in a script of several bytes.
            more = np.empty(2 * (first + count), dtype=np.uint64)
            more[:first] = hashes[:first]
            hashes = more
        hashes[first : first + count] = scratch[:count]
        starts[text + 1] = first + count
    return hashes[: starts[texts]].copy(), starts
