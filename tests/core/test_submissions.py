from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.core.ledger import Use
from acclimate.core.submissions import level, spent, submission

TESTSET = {"domain_cloze.jsonl": "9" * 64}


def use(number: int, adapter: str | None, testset: dict[str, str] = TESTSET) -> Use:
    models = {"base": "b" * 64} if adapter is None else {"base": "b" * 64, "adapter": adapter}
    return Use(number, "2026-11-21T09:30:00+00:00", "ada", "d", "evaluate", "r", testset, models, "0" * 64)


def test_a_candidate_is_counted_once_and_keeps_the_number_of_its_first_scoring() -> None:
    uses = [use(1, None), use(2, "x"), use(3, "y"), use(4, "x"), use(5, "z")]
    assert [submission(uses, TESTSET, candidate) for candidate in "xyz"] == [1, 2, 3]


def test_a_candidate_that_the_ledger_does_not_have_comes_last() -> None:
    assert submission([use(1, "x"), use(2, "y")], TESTSET, "new") == 3
    assert submission([], TESTSET, "new") == 1


def test_a_new_test_set_starts_again() -> None:
    old = {"domain_cloze.jsonl": "8" * 64}
    assert submission([use(1, "x", old), use(2, "y", old), use(3, "z")], TESTSET, "z") == 1


@given(st.floats(0.001, 0.2), st.integers(1, 200))
def test_the_levels_of_all_candidates_together_stay_below_alpha(alpha: float, number: int) -> None:
    assert sum(level(alpha, k) for k in range(1, number + 1)) == pytest.approx(spent(alpha, number))
    assert spent(alpha, number) < alpha
