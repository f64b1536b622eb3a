"""Thousands of made-up canaries whose truth is known, looked at after every request: docs/canary.md states the result.

The stake on harm rises only with a bad answer of the challenger, so looking after each of its answers is looking after
every request; the champion's answers in between are drawn as a number (geometric) and a number of bad ones (binomial).
"""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from acclimate.core.params import load
from acclimate.serving.canary.betting import Tally, harm, safety
from acclimate.serving.canary.decision import METRICS, Rules

CHECKOUT = Path(__file__).parents[3]
RULES = Rules.model_validate(load(CHECKOUT / "params.yaml").canary.model_dump(exclude={"enabled", "step_hours"}))
PAGE = (CHECKOUT / "docs/canary.md").read_text(encoding="utf-8")
STATED = re.findall(r"^\| (\d+) % \| (\d+) % \| ([\d,]+) \| ([\d,]+) \|$", PAGE, re.MULTILINE)

Shares = NDArray[np.float64]


def canaries(
    random: np.random.Generator, many: int, answers: int, share: float, *, champion: Shares, challenger: Shares
) -> tuple[Tally, NDArray[np.int64]]:
    """Tallies [many, answers] after each answer of the challenger, and how many requests there were until then.

    The shares of bad answers broadcast to [many, answers]: they may differ between canaries and change over time.
    """
    waited = random.geometric(share, (many, answers)) - 1
    bad = random.random((many, answers)) < challenger
    champion_bad = random.binomial(waited, np.broadcast_to(champion, waited.shape))
    number = np.broadcast_to(np.arange(1, answers + 1), bad.shape)
    tally = Tally(number, bad.cumsum(axis=1), waited.cumsum(axis=1), champion_bad.cumsum(axis=1))
    return tally, number + waited.cumsum(axis=1)


def level(share: float) -> Shares:
    return np.array(share)


def ever_rolled_back(tally: Tally, share: float, bound: float) -> NDArray[np.bool_]:
    highest: Shares = harm(tally, share=share, bound=bound).max(axis=1)
    return highest >= math.log(RULES.harm_e_value)


@pytest.mark.parametrize("truth", ["no difference", "worse by exactly the bound", "a busy hour"])
def test_no_more_than_alpha_are_rolled_back_wrongly_over_all_steps_and_metrics(truth: str) -> None:
    random, many, answers = np.random.default_rng(1), 1000, 300
    wrong = np.zeros(many, dtype=bool)
    for share in RULES.shares:
        for metric in METRICS:
            bound = RULES.bounds[metric]
            champion = level(0.05)
            if truth == "a busy hour":  # two thirds of all answers are bad for a while, of both
                champion = np.where(np.arange(answers) // 100 == 1, 0.65, 0.05)
            challenger = champion + (bound if truth == "worse by exactly the bound" else 0)
            tally, _ = canaries(random, many, answers, share, champion=champion, challenger=challenger)
            wrong |= ever_rolled_back(tally, share, bound)
    assert wrong.mean() <= RULES.alpha
    assert ("exactly" in truth) == bool(wrong.any())  # the bound is sharp enough to be reached now and then


@pytest.mark.parametrize("share", RULES.shares)
def test_a_challenger_that_is_worse_by_the_bound_hardly_ever_takes_a_step(share: float) -> None:
    bound = RULES.bounds["errors"]
    tally, _ = canaries(
        np.random.default_rng(2), 1000, 600, share, champion=level(0.01), challenger=level(0.01 + bound)
    )
    passed = safety(tally, share=share, bound=bound) >= math.log(1 / RULES.alpha)
    assert passed.any(axis=1).mean() <= RULES.alpha


@pytest.mark.parametrize(("percent", "errors", "half", "most"), STATED)
def test_a_harm_is_found_within_the_stated_number_of_requests(percent: str, errors: str, half: str, most: str) -> None:
    share, bound = int(percent) / 100, RULES.bounds["errors"]
    tally, requests = canaries(
        np.random.default_rng(3), 1000, 400, share, champion=level(0.01), challenger=level(int(errors) / 100)
    )
    found = harm(tally, share=share, bound=bound) >= math.log(RULES.harm_e_value)
    assert found.any(axis=1).all()
    until = requests[np.arange(len(found)), found.argmax(axis=1)]
    assert np.quantile(until, 0.5) == pytest.approx(_number(half), rel=0.1)
    assert np.quantile(until, 0.95) <= 1.05 * _number(most)


def test_the_page_states_every_share() -> None:
    assert {int(percent) / 100 for percent, *_ in STATED} == set(RULES.shares)
    assert len(STATED) == 12


def test_answers_of_the_same_user_do_not_count_twice_for_a_reason() -> None:
    """A user whose every answer is bad, whoever gives it, is counted for one model alone."""
    random, share, bound, users, each = np.random.default_rng(4), 0.05, RULES.bounds["errors"], 400, 20
    role = random.random((1000, users)) < share
    bad = random.random((1000, users)) < 0.05
    counted = {}
    for times in (1, each):
        tally = Tally(*(times * found.cumsum(axis=1) for found in (role, role & bad, ~role, ~role & bad)))
        counted[times] = ever_rolled_back(tally, share, bound).mean()
    assert counted[1] <= RULES.alpha / len(RULES.shares) / len(METRICS) + 0.005
    assert counted[each] > RULES.alpha


def _number(told: str) -> int:
    return int(told.replace(",", ""))
