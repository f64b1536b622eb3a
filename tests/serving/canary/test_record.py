"""The state of a canary, with whoever writes it killed at any moment."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from acclimate.serving.canary.record import Canary, read, replace
from acclimate.serving.canary.referee import Draw, Referee, answers_file, quantile
from acclimate.serving.state import Role

BOTH: dict[Role, str] = {"champion": "3", "challenger": "4"}
FAST = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


class KilledError(BaseException):
    """Nothing after this happens in the process."""


class Doomed:
    """Lets the process die at its n-th write of any kind: before it, or half-way through."""

    def __init__(self, at: int, *, half: bool) -> None:
        self.left, self.half = at, half

    def __call__(self, real: Callable[..., Any], *args: Any) -> Any:
        self.left -= 1
        if self.left >= 0:
            return real(*args)
        if self.half and isinstance(args[-1], bytes):
            real(args[0], args[1][: len(args[1]) // 2])
        raise KilledError


def started(folder: Path, begun: Callable[..., Canary]) -> Path:
    path = folder / "canary.json"
    assert replace(path, None, begun())
    return path


def drive(referee: Referee, numbers: range, bad: set[int], draws: dict[int, Draw]) -> None:
    """One request after the other, those in `bad` failing."""
    for number in numbers:
        draw = referee.ask(None, f"r{number}", BOTH)
        if draw is None:
            return
        draws[number] = draw
        error = number in bad and draw.role == "challenger"
        referee.finished(draw, f"r{number}", error=error, seconds=0.1)


def test_of_two_that_decide_at_once_one_is_too_late_and_follows_the_other(
    tmp_path: Path, begun: Callable[..., Canary]
) -> None:
    path = started(tmp_path, begun)
    first = read(path)
    assert first is not None
    assert replace(path, first, first.withdrawn("by Ada"))
    assert not replace(path, first, first.begun(0.3))
    found = read(path)
    assert found is not None
    assert (found.status, found.reason, found.revision) == ("withdrawn", "by Ada", 2)


def test_a_referee_that_was_overtaken_gives_its_next_request_by_the_state_of_the_other(
    tmp_path: Path, begun: Callable[..., Canary]
) -> None:
    path = started(tmp_path, begun)
    slow, quick = Referee(path), Referee(path)
    canary = quick.canary
    assert canary is not None
    assert replace(path, canary, canary.withdrawn("by Ada"))
    drive(slow, range(20), set(), {})  # the baseline of five answers would begin the first step
    assert slow.canary is not None
    assert slow.canary.status == "withdrawn"
    assert slow.ask("ada", "r", BOTH) is None


@FAST
@given(at=st.integers(0, 160), half=st.booleans(), fails=st.sampled_from([0, 2, 5]), again=st.integers(0, 60))
def test_killed_between_or_in_any_two_writes_a_canary_goes_on_as_if_nothing_had_been(
    tmp_path_factory: pytest.TempPathFactory,
    begun: Callable[..., Canary],
    at: int,
    half: bool,
    fails: int,
    again: int,
) -> None:
    requests, bad = range(120), {number for number in range(120) if fails and number % 10 < fails}
    whole = started(tmp_path_factory.mktemp("whole"), begun)
    drive(Referee(whole), requests, bad, {})
    killed = started(tmp_path_factory.mktemp("killed"), begun)
    seen, done, lives = 1, 0, [at, again]
    while done < len(requests):
        doom = Doomed(lives.pop(0), half=half) if lives else Doomed(10**9, half=False)
        draws: dict[int, Draw] = {}
        with pytest.MonkeyPatch.context() as patch:
            for name in ("write", "fsync", "replace"):
                real = getattr(os, name)
                patch.setattr(os, name, partial(doom, real))
            try:
                drive(Referee(killed), range(done, len(requests)), bad, draws)
                done = len(requests)
            except KilledError:
                # A client whose request was not answered asks again; one that is on file was answered.
                on_file = answers_file(killed, begun().key)
                lines = on_file.read_bytes().splitlines(keepends=True) if on_file.exists() else []
                done = sum(line.endswith(b"\n") for line in lines)
        now = read(killed)
        assert now is not None
        assert now.revision >= seen  # what was decided stays decided
        seen = now.revision
    expected, found = read(whole), read(killed)
    assert expected is not None
    assert found is not None
    assert (found.status, found.step, found.revision) == (expected.status, expected.step, expected.revision)
    assert [(of.verdict, of.evidence, of.requests) for of in found.ended] == [
        (of.verdict, of.evidence, of.requests) for of in expected.ended
    ]


def test_a_state_that_cannot_be_written_whole_is_not_written(
    tmp_path: Path, begun: Callable[..., Canary], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = started(tmp_path, begun)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    canary = read(path)
    assert canary is not None
    with pytest.raises(OSError, match="No space left"):
        replace(path, canary, canary.withdrawn("by Ada"))
    assert path.read_bytes() == before


def test_slow_is_what_few_of_the_champions_answers_were() -> None:
    assert quantile([float(value) for value in range(1, 101)], 0.95) == 95
    assert quantile([3.0], 0.95) == 3
