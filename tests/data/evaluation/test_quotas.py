"""quotas: whole places, all of them, as near to the shares as whole places allow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.data.evaluation.quotas import allocate, largest_remainder

SHARES = (
    st.lists(st.integers(0, 100), min_size=1, max_size=8)
    .filter(any)
    .map(lambda parts: {f"n{i}": part / sum(parts) for i, part in enumerate(parts)})
)


def test_the_largest_remainders_get_the_places_that_are_left() -> None:
    # The exact parts are 1.4, 3.5 and 2.1.
    assert largest_remainder(7, {"a": 0.2, "b": 0.5, "c": 0.3}) == {"a": 1, "b": 4, "c": 2}


def test_equal_remainders_go_by_order() -> None:
    assert largest_remainder(3, {"a": 0.5, "b": 0.5}) == {"a": 2, "b": 1}


def test_shares_that_floats_cannot_hold_lose_no_place() -> None:
    shares = {"customer_queries": 0.4, "expert": 0.3, "benchmarks": 0.15, "failure_cases": 0.1, "edge_cases": 0.05}
    assert list(largest_remainder(200, shares).values()) == [80, 60, 30, 20, 10]


@given(st.integers(0, 1000), SHARES)
def test_places_add_up_and_nobody_is_a_whole_place_off(places: int, shares: dict[str, float]) -> None:
    given_places = largest_remainder(places, shares)
    assert sum(given_places.values()) == places
    for name, share in shares.items():
        assert abs(given_places[name] - places * share) < 1 + 1e-9


@given(st.integers(0, 300), SHARES, st.data())
def test_no_place_is_lost_while_there_is_supply_and_no_supply_is_exceeded(
    places: int, shares: dict[str, float], data: st.DataObject
) -> None:
    supply = {name: data.draw(st.integers(0, 100)) for name in shares}
    given_places = allocate(places, shares, supply)
    assert all(0 <= given_places[name] <= supply[name] for name in shares)
    assert sum(given_places.values()) == min(places, sum(supply[name] for name, share in shares.items() if share > 0))


@given(st.integers(0, 300), SHARES)
def test_with_enough_of_everything_the_shares_decide(places: int, shares: dict[str, float]) -> None:
    assert allocate(places, shares, dict.fromkeys(shares, places)) == largest_remainder(places, shares)


@pytest.mark.parametrize("supply", [{"a": 0, "b": 50}, {"a": 2, "b": 50}])
def test_what_one_cannot_fill_the_others_get(supply: dict[str, int]) -> None:
    assert allocate(10, {"a": 0.5, "b": 0.5}, supply) == {"a": supply["a"], "b": 10 - supply["a"]}


def test_who_has_no_share_gets_nothing_however_much_is_left() -> None:
    assert allocate(10, {"a": 0.0, "b": 1.0}, {"a": 50, "b": 3}) == {"a": 0, "b": 3}
