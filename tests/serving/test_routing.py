from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from acclimate.serving.routing import choose
from acclimate.serving.state import Packaged, Serving

ONE, TWO = (Packaged(version=version, folder=Path("/"), sha256=version) for version in "12")
shares = st.floats(0, 1)


def serving(share: float, salt: str = "s") -> Serving:
    return Serving(champion=ONE, challenger=TWO, share=share, salt=salt)


@given(st.text(), shares, shares)
def test_a_larger_share_takes_nobody_away_from_the_challenger(identity: str, one: float, other: float) -> None:
    if choose(identity, serving(min(one, other))) == "challenger":
        assert choose(identity, serving(max(one, other))) == "challenger"


@given(st.text())
def test_nobody_and_everybody_are_exact(identity: str) -> None:
    assert choose(identity, serving(0)) == "champion"
    assert choose(identity, serving(1)) == "challenger"
    assert choose(identity, Serving(champion=ONE, share=1)) == "champion"


def test_the_share_is_that_of_those_who_ask_and_another_salt_draws_anew() -> None:
    people = [f"user {number}" for number in range(20_000)]
    drawn = [{person for person in people if choose(person, serving(0.05, salt)) == "challenger"} for salt in "ab"]
    # Five standard deviations of a binomial share: 5 x sqrt(0.05 x 0.95 / 20,000) = 0.0077.
    assert all(abs(len(some) / len(people) - 0.05) < 0.0077 for some in drawn)
    assert len(drawn[0] & drawn[1]) < 100  # 50 expected
