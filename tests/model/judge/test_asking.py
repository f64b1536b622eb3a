from __future__ import annotations

from typing import Any

import pytest

from acclimate.core.errors import UserError
from acclimate.core.params import Criterion, JudgeParams, Juror
from acclimate.model.judge.asking import KEY, ask_jury, parse, questions_put
from acclimate.model.judge.pairs import Pair

from .conftest import Scripted, longer, places

PAIRS = [Pair(str(n), f"What is {n}?", "A number.", f"It is the number {n}.", "No idea.") for n in range(20)]


def params(*jury: Juror, repeats: int = 2) -> JudgeParams:
    rubric = [Criterion(name="correctness", asks="Which is right?")]
    return JudgeParams(jury=list(jury), rubric=rubric, repeats=repeats, items=100, max_tokens=50)


def test_each_pair_is_put_in_both_orders_and_the_verdict_is_about_the_answer_not_its_place(scripted: Scripted) -> None:
    asked: list[dict[str, Any]] = []
    votes = ask_jury(params(scripted("a", longer, asked)), PAIRS, seed=1)
    assert len(votes) == 40
    assert {vote.verdicts["correctness"] for vote in votes if vote.verdicts} == {"candidate"}
    orders = [[vote.first for vote in votes if vote.id == pair.id] for pair in PAIRS]
    assert all(set(order) == {"candidate", "other"} for order in orders)
    assert 0 < sum(order[0] == "candidate" for order in orders) < len(PAIRS), "which comes first is drawn"
    shown = [places(question["messages"][0]["content"])[0] == "No idea." for question in asked]
    assert shown == [vote.first == "other" for vote in votes]
    assert (asked[0]["temperature"], asked[0]["max_tokens"], asked[0]["model"]) == (0, 50, "model-a")


def test_every_juror_gets_its_own_key_and_no_other(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{KEY}A", "key-of-a")
    with_key: list[dict[str, Any]] = []
    without: list[dict[str, Any]] = []
    ask_jury(params(scripted("a", longer, with_key), scripted("b", longer, without)), PAIRS[:1], seed=1)
    assert {question["key"] for question in with_key} == {"Bearer key-of-a"}
    assert {question["key"] for question in without} == {None}


@pytest.mark.parametrize(
    ("said", "verdicts"),
    [
        ('{"a": "1", "b": "tie"}', {"a": "1", "b": "tie"}),
        ('Sure:\n```json\n{"a": 2, "b": "TIE"}\n```', {"a": "2", "b": "tie"}),
        ('{"a": "1"}', None),
        ('{"a": "1", "b": "1", "c": "1"}', None),
        ('{"a": "1", "b": "both"}', None),
        ('{"a": "1", "b": "2"} or rather {"a": "2", "b": "1"}', None),
        ("The first one.", None),
        ('{"a": "1", "b": }', None),
        ("", None),
        (None, None),
        (["1"], None),
    ],
)
def test_only_one_complete_verdict_counts(said: object, verdicts: dict[str, str] | None) -> None:
    assert parse(said, ["a", "b"]) == verdicts


def test_what_cannot_be_read_or_did_not_come_is_counted_apart(scripted: Scripted) -> None:
    def moody(prompt: str) -> str | int:
        return "I prefer not to say." if "What is 3?" in prompt else 400 if "What is 4?" in prompt else longer(prompt)

    votes = ask_jury(params(scripted("a", moody)), PAIRS[:6], seed=1)
    states = {vote.id: vote.state for vote in votes}
    assert states == {"0": "parsed", "1": "parsed", "2": "parsed", "3": "unparseable", "4": "unanswered", "5": "parsed"}
    assert [vote.verdicts for vote in votes if vote.id in "34"] == [None] * 4
    assert next(vote.said for vote in votes if vote.id == "3") == "I prefer not to say."


def test_a_juror_that_is_gone_stops_the_run_and_is_named(scripted: Scripted) -> None:
    asked: list[dict[str, Any]] = []
    with pytest.raises(UserError, match=r"juror a at .* gave no answer 3 times in a row: it answered 401") as fault:
        ask_jury(params(scripted("a", lambda _: 401, asked)), PAIRS, seed=1)
    assert len(asked) == 3
    assert f"{KEY}A" in fault.value.fix


def test_what_will_be_asked_is_told_and_nobody_to_ask_is_an_error(scripted: Scripted) -> None:
    assert questions_put(params(scripted("a", longer), scripted("b", longer)), 48).endswith("= 192 questions")
    with pytest.raises(UserError, match=r"judge\.jury in params\.yaml is empty"):
        questions_put(params(), 48)
    with pytest.raises(UserError, match="no pair of answers"):
        questions_put(params(scripted("a", longer)), 0)
