"""All similar pairs among texts that share much with each other: what crowded buckets are resolved by.

Texts meet in the tokens of their prefixes (prefixes.py), and texts that share nothing but boilerplate never do, so
no bucket has to be capped. Texts are numbered by themselves here: number i is texts[i] of the corpus, with the tokens
tokens[ends[i]:ends[i + 1]], of which the first shorter[i] are found by others. Tokens are taken in parts, as many as it
takes for the index over one part to stay small.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from acclimate.data.kernels.components import seen_root
from acclimate.data.kernels.similarity import common_members, fill, needed
from acclimate.data.kernels.sketch import BLOCK, band_keys, table_size

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Halves = NDArray[np.uint32]
    Hashes = NDArray[np.uint64]
    Places = NDArray[np.int64]
    Index = tuple[Hashes, Places, Hashes, Places, Places]

_SPREAD = np.uint64(0x9E3779B97F4A7C15)


@njit(cache=True, nogil=True)
def _belongs(token: np.uint64, part: int, parts: int) -> bool:
    return parts == 1 or (token * _SPREAD >> np.uint64(40)) % np.uint64(parts) == np.uint64(part)


@njit(cache=True, nogil=True)
def entries(
    first: int, last: int, tokens: Hashes, ends: Places, shorter: Places, part: int, parts: int
) -> tuple[Hashes, Places]:
    """Token and number of the texts first … last - 1, in every token of a shorter prefix that belongs to this part."""
    most = 0
    for number in range(first, last):
        most += shorter[number]
    found, owners = np.empty(most, dtype=np.uint64), np.empty(most, dtype=np.int64)
    count = 0
    for number in range(first, last):
        for token in tokens[ends[number] : ends[number] + shorter[number]]:
            if _belongs(token, part, parts):
                found[count], owners[count] = token, number
                count += 1
    return found[:count].copy(), owners[:count].copy()


@njit(cache=True, nogil=True)
def index(found: Hashes, owners: Places, texts: Places, parents: Places) -> Index:
    """An index over entries sorted by token and then component.

    Returns:
        The entries; a hash table of tokens, and of where each token's entries start; for every entry the end of the
        stretch of entries with its token and its component.
    """
    table = np.zeros(table_size(len(found)), dtype=np.uint64)
    firsts = np.full(len(table), -1, dtype=np.int64)
    stretches = np.empty(len(found), dtype=np.int64)
    mask = np.uint64(len(table) - 1)
    after = np.int64(-1)
    for entry in range(len(found) - 1, -1, -1):
        here = seen_root(parents, texts[owners[entry]])
        same = entry + 1 < len(found) and found[entry + 1] == found[entry] and after == here
        stretches[entry] = stretches[entry + 1] if same else entry + 1
        after = here
        slot = found[entry] * _SPREAD >> np.uint64(20) & mask
        while firsts[slot] >= 0 and table[slot] != found[entry]:
            slot = (slot + np.uint64(1)) & mask
        table[slot], firsts[slot] = found[entry], entry
    return found, owners, table, firsts, stretches


@njit(cache=True, nogil=True)
def _first_entry(token: np.uint64, table: Hashes, firsts: Places) -> int:
    mask = np.uint64(len(table) - 1)
    slot = token * _SPREAD >> np.uint64(20) & mask
    while firsts[slot] >= 0 and table[slot] != token:
        slot = (slot + np.uint64(1)) & mask
    return int(firsts[slot])


@njit(cache=True, nogil=True)
def _distinct(partners: Places, count: int) -> int:
    """Sort partners[:count] and move the distinct to the front; return how many there are."""
    partners[:count].sort()
    distinct = min(count, 1)
    for place in range(1, count):
        if partners[place] != partners[place - 1]:
            partners[distinct] = partners[place]
            distinct += 1
    return distinct


@njit(cache=True, nogil=True)
def _partners(
    number: int, prefix: Hashes, index: Index, texts: Places, starts: Places, parents: Places, partners: Places
) -> tuple[Places, int]:
    """The texts of other components, not larger than this one, that meet its prefix; `partners` has room to begin with.

    Returns:
        The partners, and how many there are of them.
    """
    found, owners, table, firsts, stretches = index
    text, count = texts[number], 0
    size, component = starts[text + 1] - starts[text], seen_root(parents, text)
    for token in prefix:
        entry = _first_entry(token, table, firsts)
        while 0 <= entry < len(found) and found[entry] == token:
            other = owners[entry]
            if seen_root(parents, texts[other]) == component:
                entry = stretches[entry]
                continue
            smaller = starts[texts[other] + 1] - starts[texts[other]]
            if smaller < size or (smaller == size and other < number):
                if count == len(partners):
                    count = _distinct(partners, count)
                    if 2 * count > len(partners):
                        partners = np.concatenate((partners, np.empty_like(partners)))
                partners[count] = other
                count += 1
            entry += 1
    return partners, _distinct(partners, count)


@njit(cache=True, nogil=True)
def similar_pairs(
    first: int,
    last: int,
    texts: Places,
    tokens: Hashes,
    ends: Places,
    index: Index,
    parents: Places,
    shingles: Hashes,
    starts: Places,
    threshold: float,
    new_from: int,
) -> tuple[Places, Places]:
    """The pairs of texts[first:last] with a text not larger and of another component that reach `threshold`.

    Left out are pairs of two texts below `new_from`. Left and right are numbers of the corpus.
    """
    largest = 0
    for text in texts[first:last]:
        largest = max(largest, starts[text + 1] - starts[text])
    members, marks = np.empty(table_size(largest), dtype=np.uint64), np.full(table_size(largest), -1, dtype=np.int64)
    left, right = [np.int64(0) for _ in range(0)], [np.int64(0) for _ in range(0)]
    partners = np.empty(1024, dtype=np.int64)
    for number in range(first, last):
        text, prefix = texts[number], tokens[ends[number] : ends[number + 1]]
        partners, count = _partners(number, prefix, index, texts, starts, parents, partners)
        mine = shingles[starts[text] : starts[text + 1]]
        if count > 0:
            fill(mine, members, marks, number)
        for partner in partners[:count]:
            other = texts[partner]
            theirs = shingles[starts[other] : starts[other + 1]]
            wanted = needed(len(mine), len(theirs), threshold)
            if max(text, other) < new_from or len(theirs) < wanted:
                continue
            if common_members(len(mine), members, marks, number, theirs, wanted) >= wanted:
                left.append(text)
                right.append(other)
    return np.array(left, dtype=np.int64), np.array(right, dtype=np.int64)


@njit(cache=True, nogil=True)
def share_a_band(
    left: Places, right: Places, shingles: Hashes, starts: Places, factors: Halves, addends: Halves, rows: int
) -> NDArray[np.bool_]:
    """[pairs]: whether texts left[i] and right[i] meet in a bucket; their keys are worked out again."""
    bands = len(factors) // rows
    one, other = np.empty(bands, dtype=np.uint64), np.empty(bands, dtype=np.uint64)
    halves = np.empty(BLOCK, dtype=np.uint32)
    shared = np.zeros(len(left), dtype=np.bool_)
    for pair in range(len(left)):
        band_keys(shingles[starts[left[pair]] : starts[left[pair] + 1]], factors, addends, rows, halves, one)
        band_keys(shingles[starts[right[pair]] : starts[right[pair] + 1]], factors, addends, rows, halves, other)
        shared[pair] = (one == other).any()
    return shared
