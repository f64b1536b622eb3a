"""Pairs of texts that share a bucket and are not in one component yet.

Bucket b has members[starts[b]:starts[b + 1]], two at least. m copies of one text cost m checks, not m²: each
is first compared with its neighbour and with the bucket's first member, and what has become one component
is not compared again. A pair of two texts below `new_from` was compared when the later of them came.
Different texts in one large bucket (they share long boilerplate) would still cost m²; such buckets are
`crowded`, their members are set apart for prefix_join.py, and no pair is skipped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from acclimate.data.kernels.components import root

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Places = NDArray[np.int64]
    Flags = NDArray[np.bool_]


@njit(cache=True, nogil=True)
def sorted_runs(keys: NDArray[np.uint64], members: Places) -> tuple[Places, Places]:
    """The buckets of two and more, of members in the order of their `keys`."""
    kept = np.empty(len(keys), dtype=np.int64)
    starts = np.empty(len(keys) // 2 + 1, dtype=np.int64)
    filled = buckets = first = 0
    for place in range(1, len(keys) + 1):
        if place < len(keys) and keys[place] == keys[first]:
            continue
        if place - first > 1:
            starts[buckets] = filled
            kept[filled : filled + place - first] = members[first:place]
            filled += place - first
            buckets += 1
        first = place
    starts[buckets] = filled
    return kept[:filled].copy(), starts[: buckets + 1].copy()


@njit(cache=True, nogil=True)
def _open(one: int, other: int, parents: Places, crowded: Flags, heed: bool, new_from: int) -> bool:
    """Whether a pair has to be compared: not both set apart, not compared in an earlier run, not one component yet."""
    if (heed and crowded[one] and crowded[other]) or max(one, other) < new_from:
        return False
    return bool(root(parents, one) != root(parents, other))


@njit(cache=True, nogil=True)
def neighbours(
    members: Places, starts: Places, parents: Places, crowded: Flags, heed: bool, new_from: int
) -> tuple[Places, Places]:
    """Each member with its bucket's first and with the one before it, where that pair is open.

    What is set apart as crowded is left out only if one is to `heed` it.
    """
    left, right = np.empty(2 * len(members), dtype=np.int64), np.empty(2 * len(members), dtype=np.int64)
    count = 0
    for bucket in range(len(starts) - 1):
        first = starts[bucket]
        for place in range(first + 1, starts[bucket + 1]):
            # The second member's neighbour is the first.
            for before in range(first, place, max(1, place - 1 - first)):
                if _open(members[before], members[place], parents, crowded, heed, new_from):
                    left[count], right[count] = members[before], members[place]
                    count += 1
    return left[:count].copy(), right[:count].copy()


@njit(cache=True, nogil=True)
def _by_component(members: Places, parents: Places) -> tuple[Places, Places, int]:
    """The members grouped by component, the component of each, and how many pairs of different components there are."""
    labels = np.empty(len(members), dtype=np.int64)
    for place in range(len(members)):
        labels[place] = root(parents, members[place])
    order = np.argsort(labels)
    ordered = labels[order]
    pairs = same = 0
    for place in range(1, len(ordered)):
        same = same + 1 if ordered[place] == ordered[place - 1] else 0
        pairs += place - same
    return members[order], ordered, pairs


@njit(cache=True, nogil=True)
def remaining(
    members: Places,
    starts: Places,
    parents: Places,
    crowded: Flags,
    new_from: int,
    first_bucket: int,
    limit: int,
    per_member: int,
) -> tuple[Places, Places, int]:
    """All pairs of different components, bucket after bucket, until there are `limit`.

    Of three members every two are `neighbours`, so only larger buckets have pairs left. The members of a bucket
    with more than `per_member` times as many pairs as members are marked in `crowded`.

    Returns:
        Left and right of the pairs, and the bucket to go on with.
    """
    left, right = np.empty(limit, dtype=np.int64), np.empty(limit, dtype=np.int64)
    count, bucket = 0, first_bucket
    while bucket < len(starts) - 1:
        here = members[starts[bucket] : starts[bucket + 1]]
        if len(here) > 3:
            grouped, labels, pairs = _by_component(here, parents)
            if pairs > min(limit, per_member * len(here)):
                crowded[here] = True
            elif count + pairs > limit:
                break
            else:
                count = _across(grouped, labels, parents, crowded, new_from, left, right, count)
        bucket += 1
    return left[:count].copy(), right[:count].copy(), bucket


@njit(cache=True, nogil=True)
def _across(
    grouped: Places,
    labels: Places,
    parents: Places,
    crowded: Flags,
    new_from: int,
    left: Places,
    right: Places,
    count: int,
) -> int:
    start = 0
    for place in range(1, len(grouped)):
        if labels[place] != labels[place - 1]:
            start = place
        other = grouped[place]
        for before in range(start):
            if _open(grouped[before], other, parents, crowded, True, new_from):
                left[count], right[count] = grouped[before], other
                count += 1
    return count
