from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from acclimate.report import formats


def test_a_tiny_p_value_is_a_bound_and_never_a_zero() -> None:
    assert formats.probability(4e-8) == "< 0.0001"
    assert formats.probability(0.0123) == "0.0123"


def test_a_difference_always_carries_its_sign_and_a_real_minus() -> None:
    assert formats.signed(0.1134) == "+0.113"
    assert formats.signed(-0.024) == "\N{MINUS SIGN}0.024"
    assert formats.interval(-0.05, 0.002, sign=True) == "\N{MINUS SIGN}0.050 … +0.002"


def test_sizes_use_the_largest_unit_that_leaves_at_least_one() -> None:
    assert [formats.size(n).split("\N{NARROW NO-BREAK SPACE}") for n in (999, 1_000, 1_234_567)] == [
        ["999", "B"],
        ["1.0", "kB"],
        ["1.2", "MB"],
    ]


@given(st.floats(min_value=0.0001, max_value=1))
def test_a_shown_p_value_is_within_half_its_last_digit(p: float) -> None:
    assert abs(float(formats.probability(p)) - p) <= 0.00005 + 1e-12
