"""Models come and go while they are asked: with toys, so that every order of events can be made."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from acclimate.serving import shelf as shelf_module
from acclimate.serving.faults import NotReadyError, UnknownModelError
from acclimate.serving.models import Model, UnfitError
from acclimate.serving.roster import Roster
from acclimate.serving.shelf import Shelf
from acclimate.serving.state import Packaged, Serving

LAW, TAX, ART = (Packaged(version=version, folder=Path(f"/{version}"), sha256=version * 64) for version in "123")
OFFERED = {"law": LAW, "tax": TAX, "art": ART}


def toy(packaged: Packaged) -> Model:
    engine: Any = SimpleNamespace(ends=frozenset({0}), joins=False)
    tokenizer = SimpleNamespace(eos_token_id=0, pad_token_id=0, bos_token_id=None)
    return Model({"model": "m", "version": packaged.version}, engine, tokenizer)


class Loads:
    """Remembers what was loaded; each load waits for `go_on`."""

    def __init__(self) -> None:
        self.versions: list[str] = []
        self.go_on = threading.Event()
        self.go_on.set()

    def __call__(self, packaged: Packaged) -> Model:
        self.versions.append(packaged.version)
        assert self.go_on.wait(10)
        if packaged == ART:
            raise UnfitError("the weights are aaaa")
        return toy(packaged)


def shelved(most: int, scenario: Callable[[Shelf, Loads], Coroutine[Any, Any, None]]) -> Loads:
    loads = Loads()

    async def _run() -> None:
        with ThreadPoolExecutor(1) as thread:
            shelf = Shelf(loads, most, thread)
            shelf.offer(OFFERED)
            async with asyncio.timeout(20):
                await scenario(shelf, loads)

    asyncio.run(_run())
    return loads


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf_module, "POLL_SECONDS", 0.001)


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.002)


def test_one_is_loaded_when_first_asked_for_and_once_however_many_ask() -> None:
    async def scenario(shelf: Shelf, loads: Loads) -> None:
        with pytest.raises(NotReadyError, match="law is not in memory"):
            shelf.at_hand("law")
        models = await asyncio.gather(*(shelf.bring("law") for _ in range(5)))
        assert len(set(map(id, models))) == 1
        assert shelf.at_hand("law:1") is models[0]
        assert models[0].label == "law:1"

    assert shelved(2, scenario).versions == ["1"]


def test_the_least_recently_used_goes_for_another() -> None:
    async def scenario(shelf: Shelf, loads: Loads) -> None:
        shelf.offer({**OFFERED, "art": LAW.model_copy(update={"version": "4"})})
        await shelf.bring("law")
        await shelf.bring("tax")
        await shelf.bring("law")
        await shelf.bring("art")
        assert [*shelf.present] == ["law", "art"]

    assert shelved(2, scenario).versions == ["1", "2", "4"]


def test_what_is_in_use_stays_until_it_has_answered_and_there_is_never_one_too_many() -> None:
    async def scenario(shelf: Shelf, loads: Loads) -> None:
        law = await shelf.bring("law")
        with law.in_use():
            wanted = asyncio.create_task(shelf.bring("tax"))
            await asyncio.sleep(0.05)
            assert loads.versions == ["1"], "a second model was loaded beside one that is in use"
        await wanted
        assert [*shelf.present] == ["tax"]

    assert shelved(1, scenario).versions == ["1", "2"]


def test_an_idle_one_goes_before_one_in_use_though_it_was_used_later() -> None:
    async def scenario(shelf: Shelf, loads: Loads) -> None:
        shelf.offer({**OFFERED, "art": LAW.model_copy(update={"version": "4"})})
        law = await shelf.bring("law")
        await shelf.bring("tax")
        with law.in_use():
            await shelf.bring("art")
            assert [*shelf.present] == ["law", "art"]

    shelved(2, scenario)


def test_two_that_take_turns_in_one_place_are_both_answered() -> None:
    async def scenario(shelf: Shelf, loads: Loads) -> None:
        async def _ask(name: str) -> str:
            model = await shelf.bring(name)
            with model.in_use():
                await asyncio.sleep(0.001)
            return str(model.label)

        answers = await asyncio.gather(*(_ask(name) for name in ("law", "tax") * 20))
        assert answers == ["law:1", "tax:2"] * 20

    assert len(shelved(1, scenario).versions) < 10


def test_who_is_there_answers_while_another_is_loaded() -> None:
    async def scenario(shelf: Shelf, loads: Loads) -> None:
        law = await shelf.bring("law")
        loads.go_on.clear()
        wanted = asyncio.create_task(shelf.bring("tax"))
        await until(lambda: loads.versions == ["1", "2"])
        assert await shelf.bring("law") is law
        assert shelf.waiting == 1
        loads.go_on.set()
        await wanted
        assert shelf.waiting == 0

    shelved(2, scenario)


def test_one_that_cannot_be_loaded_is_told_why_and_is_not_tried_again() -> None:
    async def scenario(shelf: Shelf, loads: Loads) -> None:
        for _ in range(2):
            with pytest.raises(NotReadyError, match="art cannot be served: the weights are aaaa"):
                await shelf.bring("art")
        await shelf.bring("law")

    assert shelved(2, scenario).versions == ["3", "1"]


def test_who_gives_up_waiting_leaves_the_load_to_others() -> None:
    async def scenario(shelf: Shelf, loads: Loads) -> None:
        loads.go_on.clear()
        impatient = asyncio.create_task(shelf.bring("law"))
        await until(lambda: loads.versions)
        impatient.cancel()
        patient = asyncio.create_task(shelf.bring("law"))
        await asyncio.sleep(0)
        loads.go_on.set()
        assert (await patient).label == "law:1"

    assert shelved(1, scenario).versions == ["1"]


def test_what_is_offered_no_more_is_told_so_and_what_it_began_it_finishes() -> None:
    async def scenario(shelf: Shelf, loads: Loads) -> None:
        law = await shelf.bring("law")
        with law.in_use():
            newer = LAW.model_copy(update={"version": "9"})
            shelf.offer({"law": newer})
            assert not shelf.present
            with pytest.raises(UnknownModelError, match="'tax' is not served any more"):
                await shelf.bring("tax")
        assert (await shelf.bring("law")).version == "9"

    shelved(1, scenario)


def test_a_roster_names_base_and_other_domains_beside_its_own_models() -> None:
    def load(packaged: Packaged) -> Model:
        model = toy(packaged)
        model.bare = Model({"model": "base", "version": "b"}, model.engine, model.tokenizer)
        return model

    async def scenario() -> None:
        roster = Roster(load, most_adapters=1)
        await roster.bring(Serving(champion=TAX, adapters={"acclimate-law": LAW}))
        assert [*roster.names()] == ["m", "champion", "m:2", "base", "acclimate-law", "acclimate-law:1"]
        role, base = roster.pick("base")
        assert (role, base.name) == ("base", "base")
        law = await roster.shelf.bring("acclimate-law")
        assert roster.pick("acclimate-law") == roster.pick("acclimate-law:1") == ("adapter", law)
        with pytest.raises(UnknownModelError, match=r"champion \(version 2\), base, acclimate-law$"):
            roster.pick("acclimate-art")

    asyncio.run(scenario())
