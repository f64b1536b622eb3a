from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.serving.canary.betting import FRACTIONS, Tally, at_most, harm, safety

shares = st.sampled_from([0.01, 0.05, 0.15, 0.5, 0.9])
bounds = st.sampled_from([0.01, 0.05, 0.1, 0.3])
rates = st.floats(0, 1)


@st.composite
def tallies(draw: st.DrawFn) -> Tally:
    challenger, champion = draw(st.integers(0, 300)), draw(st.integers(0, 3000))
    return Tally(challenger, draw(st.integers(0, challenger)), champion, draw(st.integers(0, champion)))


def after(tally: Tally, *, challenger: bool, bad: bool) -> Tally:
    if challenger:
        return tally._replace(challenger=tally.challenger + 1, challenger_bad=tally.challenger_bad + bad)
    return tally._replace(champion=tally.champion + 1, champion_bad=tally.champion_bad + bad)


def expected(stake: object, tally: Tally, *, share: float, bound: float, champion: float, challenger: float) -> float:
    """What a stake is on average worth after one more request, as a share of what it is worth now."""
    now = stake(tally, share=share, bound=bound)  # type: ignore[operator]
    total = 0.0
    for role, chance, rate in ((True, share, challenger), (False, 1 - share, champion)):
        for bad, likely in ((True, rate), (False, 1 - rate)):
            then = stake(after(tally, challenger=role, bad=bad), share=share, bound=bound)  # type: ignore[operator]
            total += chance * likely * math.exp(float(then - now))
    return total


@given(tallies(), shares, bounds, rates, rates)
def test_nobody_gains_on_average_by_betting_on_a_harm_that_is_not_there(
    tally: Tally, share: float, bound: float, champion: float, better: float
) -> None:
    challenger = better * min(1.0, champion + bound)
    worth = expected(harm, tally, share=share, bound=bound, champion=champion, challenger=challenger)
    assert worth <= 1 + 1e-9


@given(tallies(), shares, bounds, rates, rates)
def test_nobody_gains_on_average_by_betting_on_a_safety_that_is_not_there(
    tally: Tally, share: float, bound: float, rate: float, worse: float
) -> None:
    champion = rate * (1 - bound)
    challenger = min(1.0, champion + bound + worse * (1 - champion - bound))
    worth = expected(safety, tally, share=share, bound=bound, champion=champion, challenger=challenger)
    assert worth <= 1 + 1e-9


def test_the_stake_is_the_mean_over_the_bets_of_what_each_would_have_become() -> None:
    share, bound, odds = 0.2, 0.1, 0.25
    bets = FRACTIONS * min(1 / bound, 1 / odds)
    by_hand = np.mean((1 + bets * 0.9) ** 3 * (1 - bets * 0.1) ** 7 * (1 - bets * odds) ** 2)
    assert float(harm(Tally(10, 3, 40, 2), share=share, bound=bound)) == pytest.approx(math.log(by_hand))
    by_hand = np.mean((1 - FRACTIONS * 0.9) ** 3 * (1 + FRACTIONS * 0.1) ** 7 * (1 + FRACTIONS * odds) ** 2)
    assert float(safety(Tally(10, 3, 40, 2), share=share, bound=bound)) == pytest.approx(math.log(by_hand))


def test_before_the_first_answer_nothing_is_known() -> None:
    assert (float(harm(Tally(), share=0.05, bound=0.05)), float(safety(Tally(), share=0.05, bound=0.05))) == (0, 0)
    assert at_most(Tally(), share=0.05, alpha=0.05) == 1


@given(tallies(), shares, bounds)
def test_the_bound_that_is_shown_is_the_end_of_the_confidence_sequence(
    tally: Tally, share: float, bound: float
) -> None:
    shown = float(safety(tally, share=share, bound=bound)) >= math.log(1 / 0.05)
    end = at_most(tally, share=share, alpha=0.05)
    assert (end <= bound) == shown or abs(end - bound) < 1e-3


def test_many_canaries_are_computed_at_once_as_each_alone() -> None:
    many = Tally(np.array([10, 50]), np.array([1, 20]), np.array([100, 400]), np.array([2, 5]))
    alone = [Tally(10, 1, 100, 2), Tally(50, 20, 400, 5)]
    for stake in (harm, safety):
        together = stake(many, share=0.1, bound=0.05)
        assert together == pytest.approx([float(stake(tally, share=0.1, bound=0.05)) for tally in alone])
