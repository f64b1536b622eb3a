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
    return kept[:filled], starts[: buckets + 1]


@njit(cache=True, nogil=True)
def _open(one: int, other: int, labels: Places, skipped: Flags, new_from: int) -> bool:
    """Whether a pair has to be compared: not one component yet, not both set apart, not compared in an earlier run."""
    return labels[one] != labels[other] and not (skipped[one] and skipped[other]) and max(one, other) >= new_from


@njit(cache=True, nogil=True)
def neighbours(members: Places, starts: Places, labels: Places, skipped: Flags, new_from: int) -> tuple[Places, Places]:
    """Each member with its bucket's first and with the one before it, where that pair is open."""
    left, right = np.empty(2 * len(members), dtype=np.int64), np.empty(2 * len(members), dtype=np.int64)
    count = 0
    for bucket in range(len(starts) - 1):
        first = starts[bucket]
        for place in range(first + 1, starts[bucket + 1]):
            # The second member's neighbour is the first.
            for before in range(first, place, max(1, place - 1 - first)):
                if _open(members[before], members[place], labels, skipped, new_from):
                    left[count], right[count] = members[before], members[place]
                    count += 1
    return left[:count], right[:count]


@njit(cache=True, nogil=True)
def _by_label(members: Places, labels: Places) -> tuple[Places, int]:
    """The members grouped by component, and how many pairs of different components there are."""
    grouped = members[np.argsort(labels[members])]
    pairs = same = 0
    for place in range(1, len(grouped)):
        same = same + 1 if labels[grouped[place]] == labels[grouped[place - 1]] else 0
        pairs += place - same
    return grouped, pairs


@njit(cache=True, nogil=True)
def remaining(
    members: Places,
    starts: Places,
    labels: Places,
    crowded: Flags,
    new_from: int,
    first_bucket: int,
    limit: int,
    per_member: int,
) -> tuple[Places, Places, int]:
    """All pairs of different components, bucket after bucket, until there are `limit`.

    The members of a bucket with more than `per_member` times as many pairs as members are marked in `crowded`.

    Returns:
        Left and right of the pairs, and the bucket to go on with.
    """
    left, right = np.empty(limit, dtype=np.int64), np.empty(limit, dtype=np.int64)
    count, bucket = 0, first_bucket
    while bucket < len(starts) - 1:
        here = members[starts[bucket] : starts[bucket + 1]]
        grouped, pairs = _by_label(here, labels)
        if pairs > min(limit, per_member * len(here)):
            crowded[here] = True
        elif count + pairs > limit:
            break
        else:
            count = _across(grouped, labels, crowded, new_from, left, right, count)
        bucket += 1
    return left[:count], right[:count], bucket


@njit(cache=True, nogil=True)
def _across(
    grouped: Places, labels: Places, crowded: Flags, new_from: int, left: Places, right: Places, count: int
) -> int:
    start = 0
    for place in range(1, len(grouped)):
        if labels[grouped[place]] != labels[grouped[place - 1]]:
            start = place
        other = grouped[place]
        for before in range(start):
            if _open(grouped[before], other, labels, crowded, new_from):
                left[count], right[count] = grouped[before], other
                count += 1
    return count
