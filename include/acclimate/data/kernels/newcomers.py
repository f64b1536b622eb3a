"""All similar pairs between a few new texts and a large crowd: what an addition to an index meets in crowded buckets.

Two sets with J ≥ t have at least t |A| members in common, so whichever |A| - ⌈t |A|⌉ + 1 members of A are chosen, B has
one of them. Chosen are those that are rarest in a sample of the crowd (as in prefixes.py, where a text of the crowd is
looked at member by member too, but sorts them first). So the crowd is gone over once, each member is looked for among
the chosen ones of the new texts, and what it costs to be asked is one look-up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from acclimate.data.kernels.components import seen_root
from acclimate.data.kernels.prefixes import COUNTERS, prefix_lengths
from acclimate.data.kernels.similarity import common_members, fill, needed
from acclimate.data.kernels.sketch import table_size

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Counts = NDArray[np.uint32]
    Hashes = NDArray[np.uint64]
    Places = NDArray[np.int64]
    Chosen = tuple[Hashes, Places, Places, Places]


@njit(cache=True, nogil=True)
def choose(new: Places, shingles: Hashes, starts: Places, counts: Counts, threshold: float) -> Chosen:
    """The members of each new text that whatever is similar to it has one of, the rarest by `counts` [COUNTERS].

    Returns:
        A hash table of members, and where the chain of each begins; of every link of a chain the new text's place in
        `new`, and the next link; -1 is the end of a chain.
    """
    total = longest = 0
    for text in new:
        size = starts[text + 1] - starts[text]
        total, longest = total + prefix_lengths(size, threshold)[1], max(longest, size)
    table = np.zeros(table_size(total), dtype=np.uint64)
    chains = np.full(len(table), -1, dtype=np.int64)
    owners, following = np.empty(total, dtype=np.int64), np.empty(total, dtype=np.int64)
    mask, links = np.uint64(len(table) - 1), 0
    frequency = np.empty(longest, dtype=np.uint32)
    for place, text in enumerate(new):
        mine = shingles[starts[text] : starts[text + 1]]
        for member in range(len(mine)):
            frequency[member] = counts[mine[member] & np.uint64(COUNTERS - 1)]
        rarest = np.argsort(frequency[: len(mine)], kind="mergesort")[: prefix_lengths(len(mine), threshold)[1]]
        for member in rarest:
            slot = mine[member] & mask
            while chains[slot] >= 0 and table[slot] != mine[member]:
                slot = (slot + np.uint64(1)) & mask
            table[slot], owners[links], following[links] = mine[member], place, chains[slot]
            chains[slot] = links
            links += 1
    return table, chains, owners, following


@njit(cache=True, nogil=True)
def similar_newcomers(
    crowd: Places,
    new: Places,
    chosen: Chosen,
    parents: Places,
    shingles: Hashes,
    starts: Places,
    threshold: float,
) -> tuple[Places, Places]:
    """The pairs of these texts of the crowd with a new text of another component that reach `threshold`.

    Of two new texts, which are both of the crowd, each pair comes once. Left are the crowd's, right the new ones.
    """
    table, chains, owners, following = chosen
    mask, largest = np.uint64(len(table) - 1), 0
    for text in crowd:
        largest = max(largest, starts[text + 1] - starts[text])
    members, marks = np.empty(table_size(largest), dtype=np.uint64), np.full(table_size(largest), -1, dtype=np.int64)
    met = np.full(len(new), -1, dtype=np.int64)
    left, right = [np.int64(0) for _ in range(0)], [np.int64(0) for _ in range(0)]
    for turn, text in enumerate(crowd):
        mine = shingles[starts[text] : starts[text + 1]]
        component, filled = seen_root(parents, text), False
        for member in mine:
            slot = member & mask
            while chains[slot] >= 0 and table[slot] != member:
                slot = (slot + np.uint64(1)) & mask
            link = chains[slot]
            while link >= 0:
                place = owners[link]
                other = new[place]
                link = following[link]
                if met[place] == turn or (text >= new[0] and other >= text):
                    continue
                met[place] = turn
                theirs = shingles[starts[other] : starts[other + 1]]
                wanted = needed(len(mine), len(theirs), threshold)
                if min(len(mine), len(theirs)) < wanted or seen_root(parents, other) == component:
                    continue
                if not filled:
                    fill(mine, members, marks, turn)
                    filled = True
                if common_members(len(mine), members, marks, turn, theirs, wanted) >= wanted:
                    left.append(text)
                    right.append(other)
    return np.array(left, dtype=np.int64), np.array(right, dtype=np.int64)
