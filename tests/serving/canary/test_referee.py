from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from acclimate.serving.canary.record import Canary, read, replace
from acclimate.serving.canary.referee import Referee, answers_file
from acclimate.serving.state import Role

Begun = Callable[..., Canary]
BOTH: dict[Role, str] = {"champion": "3", "challenger": "4"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "canary.json"


def ask(referee: Referee, many: int, *, errors: str = "", slow: str = "", user: str | None = None) -> list[str]:
    """Requests one after the other until the canary is over; those of the named role fail, or are slow. Their ids."""
    start = 0 if referee.canary is None else referee.canary.revision * 10_000
    asked = []
    for number in range(start, start + many):
        request = f"r{number}"
        draw = referee.ask(user, request, BOTH)
        if draw is None:
            break
        asked.append(request)
        referee.finished(draw, request, error=draw.role == errors, seconds=9.0 if draw.role == slow else 0.1)
    return asked


def begin(path: Path, canary: Canary) -> Referee:
    assert replace(path, None, canary)
    return Referee(path)


def standing(referee: Referee) -> tuple[str, int, float]:
    assert referee.canary is not None
    return referee.canary.status, referee.canary.step, referee.canary.share


def test_without_a_canary_nobody_is_drawn_and_nothing_is_written(path: Path) -> None:
    assert Referee(path).ask("ada", "r1", BOTH) is None
    assert not path.parent.joinpath("canary").exists()


def test_first_the_champions_answers_say_what_slow_means(path: Path, begun: Begun) -> None:
    referee = begin(path, begun())
    for number, seconds in enumerate([0.1, 9.0, 0.2, 0.3, 0.4, 5.0]):
        assert standing(referee) == ("baseline", 0, 0.0)
        user = "ada" if number < 2 else None  # a second answer to the same user is no evidence of its own
        draw = referee.ask(user, f"r{number}", BOTH)
        assert draw is not None
        assert draw.role == "champion"
        referee.finished(draw, f"r{number}", error=False, seconds=seconds)
    assert standing(referee) == ("running", 0, 0.3)
    assert referee.canary is not None
    assert referee.canary.slow_s == 5.0


@pytest.mark.parametrize("versions", [{"champion": "3"}, {"champion": "2", "challenger": "4"}])
def test_while_one_of_the_two_cannot_answer_nothing_counts(path: Path, begun: Begun, versions: dict[Role, str]) -> None:
    assert begin(path, begun()).ask("ada", "r1", versions) is None


def test_a_disk_that_is_full_costs_the_canary_and_no_answer(
    path: Path, begun: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    referee = begin(path, begun())
    draw = referee.ask("ada", "r1", BOTH)
    assert draw is not None
    with monkeypatch.context() as patch:
        patch.setattr("acclimate.serving.canary.answers.append", full)
        referee.finished(draw, "r1", error=False, seconds=0.1)
        assert referee.ask("ada", "r2", BOTH) is None
    referee.look()
    assert referee.ask("ada", "r3", BOTH) is not None


def full(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_challenger_that_does_as_well_takes_over_step_by_step(path: Path, begun: Begun) -> None:
    referee = begin(path, begun())
    ask(referee, 600)
    assert standing(referee) == ("passed", 1, 1.0)
    ended = referee.canary.ended if referee.canary else ()
    assert [(of.share, of.verdict) for of in ended] == [(0.3, "advance"), (0.6, "advance")]
    assert all(evidence.at_most <= evidence.bound for of in ended for evidence in of.evidence)
    assert {draw.role for number in range(50) if (draw := referee.ask(None, f"x{number}", BOTH))} == {"challenger"}


@pytest.mark.parametrize(("fault", "metric"), [({"errors": "challenger"}, "errors"), ({"slow": "challenger"}, "slow")])
def test_one_that_does_harm_is_out_at_the_request_that_decides(
    path: Path, begun: Begun, fault: dict[str, str], metric: str
) -> None:
    referee = begin(path, begun())
    ask(referee, 5)
    asked = ask(referee, 500, **fault)
    canary = read(path)
    assert canary is not None
    assert (canary.status, canary.share) == ("rolled_back", 0.0)
    assert canary.reason.startswith(f"{metric}: 100.0% of ")
    assert canary.ended[-1].deciding_request == asked[-1]
    assert canary.ended[-1].requests == len(answers_file(path, canary.key).read_text().splitlines())
    assert referee.ask("ada", "the next", BOTH) is None


def test_a_champion_that_is_as_bad_is_no_reason_to_go_back_to_it(path: Path, begun: Begun) -> None:
    referee = begin(path, begun())
    ask(referee, 5)
    for number in range(200):
        if draw := referee.ask(None, f"r{number}", BOTH):
            referee.finished(draw, f"r{number}", error=number % 2 == 0, seconds=0.1)
    assert standing(referee)[0] == "running"


def test_complaints_count_once_and_only_about_answers_of_the_step(path: Path, begun: Begun) -> None:
    referee = begin(path, begun(min_requests=10_000))
    baseline = ask(referee, 5)
    asked = ask(referee, 60)
    answers = [json.loads(line) for line in answers_file(path, "v4-00ff").read_text().splitlines()]
    challengers = [row["request"] for row in answers if row["role"] == "challenger"]
    assert not referee.complained(baseline[0])
    assert not referee.complained("made up")
    assert referee.complained(challengers[0])
    assert not referee.complained(challengers[0])
    for request in challengers[1:]:
        referee.complained(request)
    canary = read(path)
    assert canary is not None
    assert canary.reason.startswith("complaints: ")
    assert canary.ended[-1].deciding_request in set(challengers) & set(asked)


def test_an_answer_that_was_begun_in_the_step_before_does_not_count(path: Path, begun: Begun) -> None:
    referee = begin(path, begun())
    late = referee.ask(None, "late", BOTH)
    assert late is not None
    ask(referee, 5)
    before = ask(referee, 10)
    assert len(before) == 10
    referee.finished(late, "late", error=True, seconds=60)
    assert replace(path, referee.canary, referee.canary.advanced("by Ada")) if referee.canary else False
    referee.look()
    assert referee._answers is not None
    assert referee._answers.tallies()["errors"] == (0, 0, 0, 0)
    assert referee._answers.total == 16


def test_a_challenger_that_cannot_be_loaded_is_rolled_back_with_the_reason(path: Path, begun: Begun) -> None:
    referee = begin(path, begun())
    referee._refuse("3", "of another version")
    assert standing(referee)[0] == "baseline"
    referee._refuse("4", "model.safetensors was changed")
    canary = read(path)
    assert canary is not None
    assert (canary.status, canary.reason) == (
        "rolled_back",
        "version 4 cannot be served: model.safetensors was changed",
    )


def test_nothing_on_file_says_who_asked(path: Path, begun: Begun) -> None:
    referee = begin(path, begun())
    ask(referee, 3, user="ada@example.org")
    assert "ada" not in answers_file(path, "v4-00ff").read_text()
