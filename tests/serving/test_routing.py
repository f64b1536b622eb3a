from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.serving.routing import choose

salts = st.binary(min_size=1, max_size=64).map(bytes.hex)
users = st.text(min_size=1)
USERS = [f"user-{number}" for number in range(20_000)]


def chosen(share: float, salt: str = "00ff") -> list[bool]:
    return [choose(user, salt=salt, share=share) == "challenger" for user in USERS]


@given(users, salts, st.floats(0, 1))
def test_a_user_is_always_answered_by_the_same_model(user: str, salt: str, share: float) -> None:
    assert choose(user, salt=salt, share=share) == choose(user, salt=salt, share=share)


@given(users, salts, st.lists(st.floats(0, 1), min_size=2, max_size=6).map(sorted))
def test_who_is_in_at_a_share_stays_in_at_every_larger_one(user: str, salt: str, shares: list[float]) -> None:
    roles = [choose(user, salt=salt, share=share) == "challenger" for share in shares]
    assert roles == sorted(roles)


@given(users, salts)
def test_nobody_is_in_at_no_share_and_everybody_at_the_whole(user: str, salt: str) -> None:
    assert choose(user, salt=salt, share=0.0) == "champion"
    assert choose(user, salt=salt, share=1.0) == "challenger"


@pytest.mark.parametrize("share", [0.01, 0.05, 0.15, 0.5])
def test_a_share_of_the_users_is_in_within_what_a_fair_draw_gives(share: float) -> None:
    spread = math.sqrt(len(USERS) * share * (1 - share))
    assert abs(sum(chosen(share)) - share * len(USERS)) < 4 * spread  # a fair draw is further off once in 16,000


def test_another_salt_draws_anew() -> None:
    both = sum(one and other for one, other in zip(chosen(0.15), chosen(0.15, "ff00"), strict=True))
    expected = 0.15**2 * len(USERS)
    assert abs(both - expected) < 4 * math.sqrt(expected)
