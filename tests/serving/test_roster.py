"""Roles change while somebody is being answered: with toy networks, so that every order of events can be made."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from acclimate.serving import roster as roster_module
from acclimate.serving.faults import NotReadyError, UnknownModelError
from acclimate.serving.models import Model, UnfitError
from acclimate.serving.roster import Roster
from acclimate.serving.state import Packaged, Serving

ONE, TWO, THREE = (Packaged(version=version, folder=Path("/"), sha256=version * 64) for version in "123")


def toy(packaged: Packaged) -> Model:
    engine: Any = SimpleNamespace(ends=frozenset({0}), joins=False)
    tokenizer = SimpleNamespace(eos_token_id=0, pad_token_id=0)
    return Model({"model": "m", "version": packaged.version}, engine, tokenizer)


def versions(roster: Roster) -> dict[str, str]:
    return {role: packaged.version for role, (packaged, _) in roster.serves.items()}


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


def followed(
    path: Path, scenario: Callable[[Roster], Coroutine[Any, Any, None]], load: Callable[[Packaged], Model] = toy
) -> None:
    """Run `scenario` beside a roster that follows `path`."""

    async def _run() -> None:
        roster = Roster(load)
        task = asyncio.create_task(roster.follow(path))
        try:
            await scenario(roster)
        finally:
            task.cancel()

    asyncio.run(_run())


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(roster_module, "POLL_SECONDS", 0.01)
    return tmp_path / "serving.json"


def say(path: Path, **fields: Any) -> None:
    partial = path.with_name("partial")
    partial.write_text(Serving(**fields).model_dump_json())
    partial.replace(path)


def test_without_a_champion_nobody_answers_and_it_is_said_why(path: Path) -> None:
    async def scenario(roster: Roster) -> None:
        say(path, why="m has no champion yet")
        await until(lambda: roster.serving.why)
        with pytest.raises(NotReadyError, match="m has no champion yet"):
            roster.pick(None)

    followed(path, scenario)


def test_the_old_model_serves_until_the_new_one_is_there_and_is_kept_for_who_began_with_it(path: Path) -> None:
    go_on = threading.Event()

    def load(packaged: Packaged) -> Model:
        if packaged == TWO:
            go_on.wait(10)
        return toy(packaged)

    async def scenario(roster: Roster) -> None:
        say(path, champion=ONE)
        await until(lambda: versions(roster) == {"champion": "1"})
        _, old = roster.pick(None)
        with old.in_use():
            say(path, champion=TWO)
            await until(lambda: roster.loading == TWO)
            assert versions(roster) == {"champion": "1"}
            go_on.set()
            await until(lambda: versions(roster) == {"champion": "2"})
            say(path, champion=THREE)
            await asyncio.sleep(0.1)
            assert roster.loading is None, "a third model in memory while the first is still in use"
        await until(lambda: versions(roster) == {"champion": "3"})

    followed(path, scenario, load)


def test_a_challenger_that_becomes_champion_is_not_loaded_again(path: Path) -> None:
    loaded: list[str] = []

    def load(packaged: Packaged) -> Model:
        loaded.append(packaged.version)
        return toy(packaged)

    async def scenario(roster: Roster) -> None:
        say(path, champion=ONE, challenger=TWO)
        await until(lambda: versions(roster) == {"champion": "1", "challenger": "2"})
        role, model = roster.pick(None, "challenger")
        assert role == "challenger"
        say(path, champion=TWO)
        await until(lambda: versions(roster) == {"champion": "2"})
        assert roster.pick(None) == ("champion", model)

    followed(path, scenario, load)
    assert loaded == ["1", "2"]


def test_a_withdrawn_challenger_gets_no_more_requests(path: Path) -> None:
    async def scenario(roster: Roster) -> None:
        say(path, champion=ONE, challenger=TWO)
        await until(lambda: len(roster.serves) == 2)
        say(path, champion=ONE)
        await until(lambda: versions(roster) == {"champion": "1"})
        assert roster.pick(None)[0] == "champion"
        with pytest.raises(UnknownModelError, match=r"'challenger' is not served; there are champion \(version 1\)"):
            roster.pick("challenger")

    followed(path, scenario)


def test_a_challenger_that_is_refused_is_named_with_the_reason_and_the_champion_answers(path: Path) -> None:
    def load(packaged: Packaged) -> Model:
        if packaged == TWO:
            raise UnfitError("the weights of version 2 are aaaa")
        return toy(packaged)

    async def scenario(roster: Roster) -> None:
        say(path, champion=ONE, challenger=TWO)
        await until(lambda: roster.refused and roster.serves)
        assert roster.pick(None)[0] == "champion"
        assert roster.refused == {TWO: "the weights of version 2 are aaaa"}

    followed(path, scenario, load)


def test_a_champion_that_is_refused_leaves_the_one_before_in_place(path: Path) -> None:
    def load(packaged: Packaged) -> Model:
        if packaged == TWO:
            raise UnfitError("not what was approved")
        return toy(packaged)

    async def scenario(roster: Roster) -> None:
        say(path, champion=ONE)
        await until(lambda: versions(roster) == {"champion": "1"})
        say(path, champion=TWO)
        await until(lambda: TWO in roster.refused)
        assert versions(roster) == {"champion": "1"}

    followed(path, scenario, load)


def test_a_damaged_state_file_changes_nothing_and_is_told(path: Path) -> None:
    async def scenario(roster: Roster) -> None:
        say(path, champion=ONE)
        await until(lambda: versions(roster) == {"champion": "1"})
        path.write_text('{"champion": ')
        await until(lambda: roster.fault)
        assert versions(roster) == {"champion": "1"}
        say(path, champion=TWO)
        await until(lambda: versions(roster) == {"champion": "2"})
        assert roster.fault == ""

    followed(path, scenario)


def test_a_model_is_asked_for_by_role_or_version(path: Path) -> None:
    async def scenario(roster: Roster) -> None:
        say(path, champion=ONE, challenger=TWO)
        await until(lambda: len(roster.serves) == 2)
        picked = {name: roster.pick(name)[0] for name in ("champion", "challenger", "1", "2", "m:2")}
        assert picked == {
            "champion": "champion",
            "challenger": "challenger",
            "1": "champion",
            "2": "challenger",
            "m:2": "challenger",
        }

    followed(path, scenario)
