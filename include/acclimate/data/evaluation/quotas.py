"""Places divided by shares, and who gets them.

largest_remainder(200, {"easy": 0.4, "medium": 0.4, "hard": 0.2})     # {"easy": 80, "medium": 80, "hard": 40}
allocate(10, {"a": 0.5, "b": 0.5}, {"a": 2, "b": 20})                 # {"a": 2, "b": 8}
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction


def largest_remainder(places: int, shares: Mapping[str, float]) -> dict[str, int]:
    """`places` divided in proportion to `shares`, in whole numbers that add up (Hamilton's method).

    Each gets the whole part of its exact part; what is left goes to the largest remainders, of equal ones to
    the first in the order of `shares`. Nobody is a whole place away from the exact part.
    """
    weights = {name: Fraction(str(share)) for name, share in shares.items()}
    total = sum(weights.values())
    if total == 0:
        return dict.fromkeys(shares, 0)
    exact = {name: places * weight / total for name, weight in weights.items()}
    given = {name: int(part) for name, part in exact.items()}
    names = list(shares)
    by_remainder = sorted(names, key=lambda name: (given[name] - exact[name], names.index(name)))
    for name in by_remainder[: places - sum(given.values())]:
        given[name] += 1
    return given


def allocate(places: int, shares: Mapping[str, float], supply: Mapping[str, int]) -> dict[str, int]:
    """`places` divided by `shares` as far as the supply goes; what one cannot fill is divided among the others.

    A name with share 0 gets nothing. Fewer than `places` are given only if the supply is used up.
    """
    given = dict.fromkeys(shares, 0)
    left = places
    while left > 0:
        open_shares = {name: share for name, share in shares.items() if share > 0 and given[name] < supply[name]}
        if not open_shares:
            break
        for name, more in largest_remainder(left, open_shares).items():
            given[name] += min(more, supply[name] - given[name])
        left = places - sum(given.values())
    return given
