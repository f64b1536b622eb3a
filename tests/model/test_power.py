from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.model.power import (
    Design,
    detectable,
    expected_effect,
    items_needed,
    items_to_separate,
    power_of,
    z,
)


def test_power_of_connors_formula_by_hand() -> None:
    # (0.05 √800 − 1.645 √0.3) / √(0.3 − 0.0025) = 0.941, whose normal distribution function is 0.827.
    assert power_of(0.05, Design(800, 1.0, 0.3), alpha=0.05) == pytest.approx(0.827, abs=1e-3)


@given(st.integers(200, 5000), st.floats(1, 3), st.floats(0.1, 0.6), st.floats(0.6, 0.95))
def test_the_detectable_difference_has_the_power_and_its_items_are_those_there_are(
    items: int, effect: float, discordance: float, power: float
) -> None:
    design = Design(items, effect, discordance)
    found = detectable(design, alpha=0.025, power=power)
    if found is None:
        assert power_of(discordance, design, alpha=0.025) < power
        return
    assert power_of(found, design, alpha=0.025) == pytest.approx(power, abs=1e-6)
    assert items_needed(found, design, alpha=0.025, power=power) in (items, items + 1)


def test_clusters_take_as_many_more_items_as_their_design_effect() -> None:
    one, two = (items_needed(0.05, Design(800, effect, 0.3), alpha=0.05, power=0.8) for effect in (1.0, 2.0))
    assert one is not None
    assert two in (2 * one, 2 * one - 1)


def test_no_number_of_items_finds_what_is_not_there() -> None:
    assert items_needed(0.0, Design(800, 1.0, 0.3), alpha=0.05, power=0.8) is None
    assert items_to_separate(0.0, 0.02, 800, alpha=0.05, power=0.8) is None
    assert items_to_separate(0.1, math.inf, 800, alpha=0.05, power=0.8) is None
    assert detectable(Design(800, 1.0, 0.0), alpha=0.05, power=0.8) is None


def test_a_distance_of_half_as_many_errors_takes_four_times_the_items() -> None:
    enough = items_to_separate((z(0.05) + z(0.2)) * 0.02, 0.02, 800, alpha=0.05, power=0.8)
    half = items_to_separate((z(0.05) + z(0.2)) * 0.01, 0.02, 800, alpha=0.05, power=0.8)
    assert enough in (800, 801)
    assert half in (3200, 3201)


def test_the_expected_design_effect_is_that_of_the_clusters_alikeness() -> None:
    clusters = [str(i // 5) for i in range(2000)]
    random = np.random.default_rng(0)
    alike = np.repeat(random.random(400) < 0.4, 5).astype(float)
    unlike = (random.random(2000) < 0.4).astype(float)
    assert expected_effect(alike, clusters) == pytest.approx(5, rel=0.02)
    assert expected_effect(unlike, clusters) == pytest.approx(1, abs=0.15)
    assert expected_effect(unlike, [str(i) for i in range(2000)]) == 1.0
    assert expected_effect(unlike, ["one"] * 2000) == 1.0
