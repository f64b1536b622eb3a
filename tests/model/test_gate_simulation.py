"""What the gate's rules do to thousands of made-up candidates whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.random import Generator
from numpy.typing import NDArray

from acclimate.core.submissions import level
from acclimate.model.compare import Pair
from acclimate.model.power import Design, power_of
from acclimate.model.rules import Bar, any_of, gains, keeps, verdict
from acclimate.model.statistics import cluster_totals, holm

ITEMS, DISCORDANCE, ACCURACY = 800, 0.3, 0.4
ALPHA = 0.05
Answers = NDArray[np.float64]


def simulated(
    random: Generator, difference: float, *, cluster: int = 1, alike: float = 0.0, items: int = ITEMS
) -> tuple[Answers, Answers]:
    """Answers [items] of a base and of a candidate that is truly better by `difference`.

    Items of one cluster share their fate with chance `alike`; else each has its own.
    """
    groups = items // cluster
    shared = np.repeat(random.random((groups, 2)), cluster, axis=0)
    own = random.random((groups * cluster, 2))
    together = np.repeat(random.random(groups) < alike, cluster)[:, None]
    draw = np.where(together, shared, own)
    won, lost = (DISCORDANCE + difference) / 2, (DISCORDANCE - difference) / 2
    only_candidate, only_base = draw[:, 0] < won, (draw[:, 0] >= won) & (draw[:, 0] < won + lost)
    both = draw[:, 1] < (ACCURACY - lost) / (1 - DISCORDANCE)
    base = np.where(only_candidate, 0.0, np.where(only_base, 1.0, both))
    return base, np.where(only_candidate, 1.0, np.where(only_base, 0.0, both))


def paired(base: Answers, candidate: Answers, cluster: int = 1, metric: str = "domain_cloze") -> Pair:
    values = np.column_stack([base, candidate, np.ones(len(base))])
    totals = values.reshape(-1, cluster, 3).sum(axis=1)
    gained = candidate - base
    return Pair(metric, len(base), totals, 200, 1, (int((gained > 0).sum()), int((gained < 0).sum())))


def judged(domain: Pair, general: Pair, *, submission: int = 1, min_gain: float = 0.0) -> str:
    """The verdict of the two deciding rules on the `submission`-th candidate."""
    bar = Bar(level(ALPHA, submission), ALPHA, 0.8)
    return verdict([gains(domain, min_gain, bar, domain.p_value), keeps(general, 0.9, bar)])


def noise(share: float, trials: int) -> float:
    """Three standard errors of a share observed in so many trials."""
    return 3 * math.sqrt(share * (1 - share) / trials)


@pytest.mark.parametrize(("cluster", "alike"), [(1, 0.0), (4, 0.7)])
def test_without_a_true_gain_no_more_than_the_level_are_promoted(cluster: int, alike: float) -> None:
    random, trials, passed = np.random.default_rng(1), 1000, 0
    bar = Bar(ALPHA, ALPHA, 0.8)
    for _ in range(trials):
        pair = paired(*simulated(random, 0.0, cluster=cluster, alike=alike), cluster)
        passed += gains(pair, 0.0, bar, pair.p_value).state == "holds"
    assert passed / trials <= ALPHA + noise(ALPHA, trials)
    assert passed / trials >= 0.02, "a test that never finds anything would pass this one"


def test_ignoring_clusters_would_promote_too_many() -> None:
    random, trials, passed = np.random.default_rng(1), 300, 0
    for _ in range(trials):
        pair = paired(*simulated(random, 0.0, cluster=4, alike=0.7), cluster=1)
        passed += pair.p_value < ALPHA
    assert passed / trials > ALPHA + noise(ALPHA, trials)


@pytest.mark.parametrize(("cluster", "alike"), [(1, 0.0), (4, 0.5)])
@pytest.mark.parametrize("alpha", [0.05, 0.0042])
def test_a_true_gain_of_five_points_is_found_with_the_power_stated(cluster: int, alike: float, alpha: float) -> None:
    random, trials, found = np.random.default_rng(2), 600, 0
    bar = Bar(alpha, ALPHA, 0.8)
    # Two items of a cluster are alike with chance `alike`, which is their correlation.
    stated = power_of(0.05, Design(ITEMS, 1 + alike * (cluster - 1), DISCORDANCE), alpha=alpha)
    for _ in range(trials):
        pair = paired(*simulated(random, 0.05, cluster=cluster, alike=alike), cluster)
        found += gains(pair, 0.0, bar, pair.p_value).state == "holds"
    assert found / trials == pytest.approx(stated, abs=noise(stated, trials) + 0.02)


@pytest.mark.parametrize("alpha", [0.05, 0.0042])
def test_a_model_that_truly_lost_too_much_is_hardly_ever_shown_to_have_kept_enough(alpha: float) -> None:
    random, trials, passed = np.random.default_rng(3), 1500, 0
    bar = Bar(alpha, ALPHA, 0.8)
    for _ in range(trials):
        base, candidate = simulated(random, -0.1 * ACCURACY, cluster=4, alike=0.5)
        passed += keeps(paired(base, candidate, 4, "general_cloze"), 0.9, bar).state == "holds"
    # A t-test is not exact: a quarter of the level more is allowed for.
    assert passed / trials <= 1.25 * alpha + noise(alpha, trials)


def test_the_items_that_an_inconclusive_verdict_asks_for_decide_as_often_as_it_says() -> None:
    bar = Bar(ALPHA, ALPHA, 0.8)
    won, lost = 135, 105  # of 800: 3.75 points, discordance 0.3, p 0.03 … at level 0.0042 not shown
    strict = Bar(0.0042, ALPHA, 0.8)
    answers = np.zeros((ITEMS, 2))
    answers[:won, 1] = answers[won : won + lost, 0] = answers[won + lost : won + lost + 200] = 1.0
    pair = paired(answers[:, 0], answers[:, 1])
    check = gains(pair, 0.0, strict, pair.p_value)
    assert (check.state, gains(pair, 0.0, bar, pair.p_value).state) == ("open", "holds")
    assert check.items is not None
    random, trials, found = np.random.default_rng(4), 400, 0
    for _ in range(trials):
        more = paired(*simulated(random, (won - lost) / ITEMS, items=check.items))
        found += gains(more, 0.0, strict, more.p_value).state == "holds"
    assert found / trials == pytest.approx(0.8, abs=noise(0.8, trials) + 0.02)


def test_of_twenty_useless_candidates_on_one_test_set_hardly_ever_one_is_promoted() -> None:
    random, sequences, spoiled, uncorrected = np.random.default_rng(5), 120, 0, 0
    for _ in range(sequences):
        # One test set: the base's answers are the same for all; each candidate is as good as the base.
        pairs = [paired(*simulated(random, 0.0)) for _ in range(20)]
        good = paired(*simulated(random, 0.0), metric="general_cloze")
        verdicts = [judged(pair, good, submission=number) for number, pair in enumerate(pairs, start=1)]
        spoiled += "promote" in verdicts
        uncorrected += any(pair.p_value < ALPHA for pair in pairs)
    assert spoiled / sequences <= ALPHA + noise(ALPHA, sequences)
    assert uncorrected / sequences > 0.4, "which is what spending alpha is for"


def test_whoever_combines_the_scores_of_twenty_guesses_is_not_promoted_more_often_than_alpha_says() -> None:
    """The boosting attack of Blum & Hardt 2015, sect. 4: keep the guesses that scored well, take their majority."""
    random, attacks, passed, naive = np.random.default_rng(6), 400, 0, 0
    bar = Bar(level(ALPHA, 20), ALPHA, 0.8)
    for _ in range(attacks):
        truth = random.integers(0, 2, ITEMS)
        base = (random.integers(0, 2, ITEMS) == truth).astype(float)
        guesses = random.integers(0, 2, (19, ITEMS))
        lucky = guesses[(guesses == truth).mean(axis=1) > 0.5]
        majority = (lucky.mean(axis=0) > 0.5) if len(lucky) else guesses[0].astype(bool)
        pair = paired(base, (majority == truth).astype(float))
        passed += gains(pair, 0.0, bar, pair.p_value).state == "holds"
        naive += pair.p_value < ALPHA
    assert passed / attacks <= ALPHA + noise(ALPHA, attacks)
    assert naive / attacks > 2 * ALPHA, "at a level that does not shrink, the attack works"


def test_of_two_metrics_holm_promotes_no_more_useless_candidates_than_one() -> None:
    random, trials, passed, uncorrected = np.random.default_rng(7), 500, 0, 0
    bar = Bar(ALPHA, ALPHA, 0.8)
    for _ in range(trials):
        pairs = [paired(*simulated(random, 0.0)) for _ in range(2)]
        adjusted = holm([pair.p_value for pair in pairs])
        checks = [gains(pair, 0.0, bar, p) for pair, p in zip(pairs, adjusted, strict=True)]
        passed += any_of(checks).state == "holds"
        uncorrected += any(pair.p_value < ALPHA for pair in pairs)
    assert passed / trials <= ALPHA + noise(ALPHA, trials)
    assert uncorrected / trials > passed / trials


def test_totals_by_reshaping_are_those_of_the_gate() -> None:
    base, candidate = simulated(np.random.default_rng(8), 0.0, cluster=4, alike=0.5)
    values = np.column_stack([base, candidate, np.ones(ITEMS)])
    totals = cluster_totals(values, [str(i // 4) for i in range(ITEMS)])
    assert np.array_equal(paired(base, candidate, 4).totals, totals)
