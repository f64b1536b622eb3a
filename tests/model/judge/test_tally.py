from __future__ import annotations

import pytest

from acclimate.core.params import Criterion, JudgeParams, Juror
from acclimate.model.judge.asking import Vote
from acclimate.model.judge.tally import tally

JURY = [
    Juror(name=name, endpoint="http://127.0.0.1:9/v1", model="m", prompt_price=2.0, completion_price=10.0)
    for name in ("a", "b")
]
PARAMS = JudgeParams(
    jury=JURY, rubric=[Criterion(name="correctness", asks="Which is right?")], repeats=2, items=100, max_tokens=50
)


def vote(question: int, juror: str, repeat: int, side: str | None, state: str = "parsed") -> Vote:
    first = "candidate" if repeat == 0 else "other"
    verdicts = None if side is None else {"correctness": side}
    return Vote(str(question), juror, repeat, first, verdicts, state, "", 100, 10)


def test_the_win_rate_is_over_questions_and_a_tie_is_half_a_win() -> None:
    votes = [vote(n, "a", repeat, "candidate" if n < 6 else "tie") for n in range(12) for repeat in (0, 1)]
    won = tally(PARAMS, votes, seed=1).wins["correctness"]
    assert won is not None
    assert (won.value, won.n) == (0.75, 12)
    assert won.low < 0.75 < won.high


def test_a_judge_that_always_takes_the_first_place_is_found_out() -> None:
    votes = [vote(n, "a", repeat, ("candidate", "other")[repeat]) for n in range(12) for repeat in (0, 1)]
    report = tally(PARAMS, votes, seed=1)
    juror, won = report.jurors["a"], report.wins["correctness"]
    assert won is not None
    assert won.value == 0.5
    assert juror.first_place is not None
    assert juror.kept is not None
    assert (juror.first_place.value, juror.kept.value) == (1.0, 0.0)


def test_jurors_that_say_the_same_agree_and_jurors_that_say_the_opposite_do_not() -> None:
    def votes(turned: bool) -> list[Vote]:
        sides = [("candidate", "other")[n % 2] for n in range(20)]
        other = {"candidate": "other", "other": "candidate"}
        second = [other[side] if turned else side for side in sides]
        return [vote(n, "a", 0, sides[n]) for n in range(20)] + [vote(n, "b", 0, second[n]) for n in range(20)]

    same, opposite = (tally(PARAMS, votes(turned), seed=1).agreement["correctness"] for turned in (False, True))
    assert same.alpha == 1.0
    assert opposite.alpha is not None
    assert opposite.alpha < 0


def test_lost_votes_count_nowhere_but_in_their_own_columns_and_tokens_cost_what_params_say() -> None:
    votes = [vote(0, "a", 0, "candidate"), vote(0, "a", 1, None, "unparseable"), vote(1, "b", 0, None, "unanswered")]
    report = tally(PARAMS, votes, seed=1)
    won = report.wins["correctness"]
    assert won is not None
    assert (won.value, won.n) == (1.0, 1)
    assert (report.jurors["a"].unparseable, report.jurors["b"].unanswered) == (1, 1)
    assert report.jurors["a"].cost == pytest.approx(2 * (100 * 2.0 + 10 * 10.0) / 1e6)
    assert report.cost == pytest.approx(3 * 300 / 1e6)
    assert report.agreement["correctness"].alpha is None
    assert "1 unparseable, 1 unanswered" in report.headline()
    assert "10 are needed" in report.table()


def test_a_jury_of_which_nobody_could_be_understood_has_no_win_rate() -> None:
    report = tally(PARAMS, [vote(0, "a", 0, None, "unparseable")], seed=1)
    assert report.wins == {"correctness": None}
    assert "correctness unknown" in report.headline()
