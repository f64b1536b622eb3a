"""Evidence that may be looked at after every request: is the challenger worse than the champion, or shown not to be?

    harm(tally, share=0.05, bound=0.05)       # 7.9 nats for 'worse by more than five points'
    safety(tally, share=0.05, bound=0.05)     # 3.2 nats for 'worse by less than five points'

A request is given to the challenger by a coin that falls so with chance `share`. Whoever bets the fraction λ of a
stake that the challenger is worse by more than `bound` has it multiplied, with ρ = share/(1 − share), by

    1 + λ(1 − bound)  after a bad answer of the challenger      1 − λρ  after a bad answer of the champion
    1 − λ·bound       after a good answer of the challenger     1       after a good answer of the champion

which on average leaves it as it was if the challenger is worse by exactly `bound`, and shrinks it if it is better than
that: the stake is a test supermartingale, whatever happens to both alike. So the share of bad answers need not stay the
same over time; a busy hour slows both models down. If the claim is wrong, the chance that the stake ever exceeds 1/α is
at most α (Ville 1939): it is an e-value at every moment, and looking at it costs nothing. `safety` bets on
the opposite; the bounds for which it has reached 1/α lie outside a confidence sequence.

Sources: Ramdas, Grünwald, Vovk & Shafer 2023 (Game-theoretic statistics and safe anytime-valid inference);
Waudby-Smith & Ramdas 2024 (Estimating means of bounded random variables by betting: the stake, the mixture of bets);
Robbins 1970 and Howard, Ramdas, McAuliffe & Sekhon 2021 (mixtures, confidence sequences); Johari, Koomen, Pekelis &
Walsh 2022 (Always valid inference, in online experiments); Turner, Ly & Grünwald 2024 (e-values for two proportions);
Horvitz & Thompson 1952 (weighing by the chance of assignment).
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = int | NDArray[np.int64]
    Nats = NDArray[np.float64]

FRACTIONS = 0.95 * 2.0 ** -np.arange(8)
"""The bets that are mixed, of the largest with which the stake cannot be lost: which λ is best depends on the truth,
and an even mixture loses at most ln 8 ≈ 2.1 nats against the best of them."""


class Tally(NamedTuple):
    """What was counted of one metric at one share; whole numbers, or arrays of them in a simulation."""

    challenger: Numbers = 0
    """Answers of the challenger."""
    challenger_bad: Numbers = 0
    champion: Numbers = 0
    champion_bad: Numbers = 0

    @property
    def difference(self) -> float:
        """Share of bad answers, challenger less champion (−1 to 1); 0 while one of them has given none."""
        if not self.challenger or not self.champion:
            return 0.0
        return float(self.challenger_bad / self.challenger - self.champion_bad / self.champion)


def harm(tally: Tally, *, share: float, bound: float) -> Nats:
    """Logarithm of the stake on 'the challenger's share of bad answers is more than `bound` above the champion's'.

    Args:
        tally: since the share was set; scalars or arrays of one shape.
        share: chance (0–1, neither end) with which a request went to the challenger.
        bound: a difference of shares, above 0 and below 1.
    """
    return _mixture(tally, _harm_factors(share, bound))


def safety(tally: Tally, *, share: float, bound: float) -> Nats:
    """Logarithm of the stake on 'the challenger's share of bad answers is less than `bound` above the champion's'."""
    return _mixture(tally, _safety_factors(share, bound))


def at_most(tally: Tally, *, share: float, alpha: float) -> float:
    """The upper end of a 1 − `alpha` confidence sequence for how much worse the challenger is (0–1).

    With that confidence the truth is below it at every moment at once, not only at this one. It is the smallest bound
    that `safety` shows; 0 says 'no worse', 1 that nothing is known yet.
    """
    low, high = 0.0, 1.0
    for _ in range(20):
        middle = (low + high) / 2
        if float(safety(tally, share=share, bound=middle)) >= math.log(1 / alpha):
            high = middle
        else:
            low = middle
    return round(high, 4)


@cache
def _harm_factors(share: float, bound: float) -> Nats:
    """Logarithms of what a stake is multiplied by, [bad, good, champion's bad] × [bets]."""
    odds = share / (1 - share)
    bets = FRACTIONS * min(1 / bound, 1 / odds)
    factors: Nats = np.log1p(np.array([bets * (1 - bound), -bets * bound, -bets * odds]))
    return factors


def _safety_factors(share: float, bound: float) -> Nats:
    """The same for the opposite bet; bets do not depend on the bound: the stake grows with it, as `at_most` needs."""
    odds = share / (1 - share)
    factors: Nats = np.log1p(np.array([-FRACTIONS * (1 - bound), FRACTIONS * bound, FRACTIONS * odds]))
    return factors


def _mixture(tally: Tally, factors: Nats) -> Nats:
    """Logarithm of the mean stake over FRACTIONS."""
    good = np.subtract(tally.challenger, tally.challenger_bad)
    stakes = np.stack([tally.challenger_bad, good, tally.champion_bad], axis=-1) @ factors
    largest = stakes.max(axis=-1, keepdims=True)
    mean: Nats = largest[..., 0] + np.log(np.exp(stakes - largest).mean(axis=-1))
    return mean
