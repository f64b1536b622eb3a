"""Seeded choices: uniform, and a matter of seed and name alone."""

from __future__ import annotations

import pytest

from acclimate.data.seeded import chance


def test_the_same_seed_and_name_give_the_same_number() -> None:
    assert chance(1, "numpy.savetxt") == chance(1, "numpy.savetxt")
    assert len({chance(1, "a"), chance(2, "a"), chance(1, "b")}) == 3


def test_numbers_are_spread_evenly_over_names() -> None:
    drawn = [chance(7, f"name {i}") for i in range(20_000)]
    assert min(drawn) >= 0
    assert max(drawn) < 1
    # Standard error of a share of 0.15 in 20,000 draws: 0.0025.
    assert sum(number < 0.15 for number in drawn) / len(drawn) == pytest.approx(0.15, abs=0.01)
