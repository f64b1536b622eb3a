from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from acclimate.serving.batching import BATCH_REQUESTS, Batcher
from acclimate.serving.faults import FullError
from acclimate.serving.generation import Completion, Prompt, Row

if TYPE_CHECKING:
    from collections.abc import Callable

    from acclimate.serving.models import Model

MODEL: Any = SimpleNamespace(name="a", joins=False)
OTHER: Any = SimpleNamespace(name="b", joins=False)


def echo(row: Row) -> Completion:
    return Completion(str(row.prompt.tokens[0]), 1, "length")


async def ask(batcher: Batcher, model: Any, prompt: Prompt) -> Completion:
    return await batcher.answer(batcher.enter(model, prompt))


async def ask_all(complete: Callable[..., list[Completion]], asked: list[tuple[Any, Prompt]]) -> list[Any]:
    batcher = Batcher(complete, 64)
    task = asyncio.create_task(batcher.run())
    answers = await asyncio.gather(*(ask(batcher, model, prompt) for model, prompt in asked), return_exceptions=True)
    task.cancel()
    return list(answers)


def test_everyone_gets_their_own_answer_and_no_batch_is_too_large() -> None:
    sizes: list[int] = []

    def complete(_: Model, rows: list[Row]) -> list[Completion]:
        sizes.append(len(rows))
        return [echo(row) for row in rows]

    answers = asyncio.run(ask_all(complete, [(MODEL, Prompt([n], 1)) for n in range(40)]))
    assert [answer.text for answer in answers] == [str(n) for n in range(40)]
    assert sum(sizes) == 40
    assert max(sizes) == BATCH_REQUESTS


def test_a_batch_is_of_one_model_and_none_is_passed_over() -> None:
    seen: list[tuple[str, int]] = []

    def complete(model: Any, rows: list[Row]) -> list[Completion]:
        seen.extend((model.name, row.prompt.tokens[0]) for row in rows)
        return [echo(row) for row in rows]

    asked = [(MODEL if n % 2 else OTHER, Prompt([n], 1)) for n in range(6)]
    answers = asyncio.run(ask_all(complete, asked))
    assert [answer.text for answer in answers] == list("012345")
    assert seen == [("b", 0), ("b", 2), ("b", 4), ("a", 1), ("a", 3), ("a", 5)]


def test_a_fault_reaches_those_who_asked_and_the_next_are_served() -> None:
    def complete(_: Model, rows: list[Row]) -> list[Completion]:
        if any(row.prompt.tokens == [0] for row in rows):
            raise RuntimeError("no memory")
        return [echo(row) for row in rows]

    async def scenario() -> list[Any]:
        batcher = Batcher(complete, 64)
        task = asyncio.create_task(batcher.run())
        first = await asyncio.gather(ask(batcher, MODEL, Prompt([0], 1)), return_exceptions=True)
        second = await asyncio.gather(ask(batcher, MODEL, Prompt([7], 1)), return_exceptions=True)
        task.cancel()
        return [*first, *second]

    fault, answer = asyncio.run(scenario())
    assert str(fault) == "no memory"
    assert answer.text == "7"


def test_who_hangs_up_is_not_computed_for() -> None:
    begun, go_on = threading.Event(), threading.Event()
    seen: list[Row] = []

    def complete(_: Model, rows: list[Row]) -> list[Completion]:
        seen.extend(rows)
        begun.set()
        go_on.wait(10)
        return [echo(row) for row in rows]

    async def scenario() -> None:
        batcher = Batcher(complete, 64)
        task = asyncio.create_task(batcher.run())
        first, leaves = (asyncio.create_task(ask(batcher, MODEL, Prompt([1], 1))) for _ in range(2))
        await asyncio.to_thread(begun.wait, 10)
        impatient = asyncio.create_task(ask(batcher, MODEL, Prompt([2], 1)))
        last = asyncio.create_task(ask(batcher, MODEL, Prompt([3], 1)))
        await asyncio.sleep(0)
        impatient.cancel()
        leaves.cancel()
        await asyncio.sleep(0)
        assert [row.given_up for row in seen] == [False, True]
        go_on.set()
        await asyncio.gather(first, last)
        task.cancel()

    asyncio.run(scenario())
    assert [row.prompt.tokens for row in seen] == [[1], [1], [3]]


def test_who_comes_when_as_many_wait_as_may_is_told_when_to_come_again() -> None:
    async def scenario() -> None:
        batcher = Batcher(lambda _, rows: [echo(row) for row in rows], most_waiting=2)
        tickets = [batcher.enter(MODEL, Prompt([n], 1)) for n in range(2)]
        with pytest.raises(FullError, match="2 requests are waiting already") as full:
            batcher.enter(MODEL, Prompt([3], 1))
        assert full.value.retry_after == 1
        batcher.give_up(tickets[0])
        batcher.enter(MODEL, Prompt([3], 1))

    asyncio.run(scenario())


class Steps:
    """An engine that joins: one letter of every row at a time, as long as `go_on` lets it."""

    def __init__(self) -> None:
        self.beside: list[set[int]] = []
        self.begun = threading.Event()
        self.go_on = threading.Semaphore(0)

    def complete(self, model: Any, rows: list[Row], more: Callable[[], list[Row]]) -> list[Completion]:
        writing = list(rows)
        self.begun.set()
        while writing:
            assert self.go_on.acquire(timeout=10)
            self.beside.append({row.prompt.tokens[0] for row in writing})
            writing = [row for row in writing if not row.take(7, model)] + more()
        return [row.completion(model) for row in rows]


def toy(name: str) -> Any:
    engine = SimpleNamespace(beside=object())
    return SimpleNamespace(
        name=name, joins=True, engine=engine, ends=frozenset(), text=lambda tokens: "x" * len(tokens)
    )


def test_who_comes_while_an_engine_that_joins_writes_is_written_beside_the_others_and_answered_when_complete() -> None:
    steps, model = Steps(), toy("a")

    async def scenario() -> None:
        batcher = Batcher(steps.complete, 64)
        task = asyncio.create_task(batcher.run())
        long = batcher.enter(model, Prompt([1], 5))
        await asyncio.to_thread(steps.begun.wait, 10)
        short = batcher.enter(model, Prompt([2], 2))
        steps.go_on.release(3)
        assert (await batcher.answer(short)).text == "xx"
        assert not long.answer.done()
        steps.go_on.release(2)
        assert (await batcher.answer(long)).new_tokens == 5
        task.cancel()

    asyncio.run(scenario())
    assert steps.beside == [{1}, {1, 2}, {1, 2}, {1}, {1}]


def test_nobody_joins_past_somebody_who_waits_for_another_model() -> None:
    steps, model, other = Steps(), toy("a"), toy("b")

    async def scenario() -> None:
        batcher = Batcher(steps.complete, 64)
        task = asyncio.create_task(batcher.run())
        tickets = [batcher.enter(model, Prompt([1], 2))]
        await asyncio.to_thread(steps.begun.wait, 10)
        tickets += [batcher.enter(who, Prompt([n], 1)) for who, n in ((model, 2), (other, 3), (model, 4))]
        steps.go_on.release(100)
        await asyncio.gather(*map(batcher.answer, tickets))
        task.cancel()

    asyncio.run(scenario())
    assert steps.beside == [{1}, {1, 2}, {3}, {4}]


def test_no_more_are_written_side_by_side_than_there_is_room_for() -> None:
    steps, model = Steps(), toy("a")
    steps.go_on.release(1000)
    answers = asyncio.run(ask_all(steps.complete, [(model, Prompt([n], 1 + n % 7)) for n in range(60)]))
    assert [answer.new_tokens for answer in answers] == [1 + n % 7 for n in range(60)]
    assert max(map(len, steps.beside)) == BATCH_REQUESTS


def test_a_fault_reaches_those_who_joined_and_who_was_let_in_too_late_is_answered_by_the_next_batch() -> None:
    model, begun, fail = toy("a"), threading.Event(), threading.Event()
    seen: list[list[int]] = []

    def complete(model: Any, rows: list[Row], more: Callable[[], list[Row]]) -> list[Completion]:
        seen.append([row.prompt.tokens[0] for row in rows])
        if len(seen) > 1:
            return [echo(row) for row in rows]
        begun.set()
        assert fail.wait(10)
        seen[0] += [row.prompt.tokens[0] for row in more()]
        joined.set()
        assert late.wait(10)
        raise RuntimeError("no memory")

    joined, late = threading.Event(), threading.Event()

    async def scenario() -> list[Any]:
        batcher = Batcher(complete, 64)
        task = asyncio.create_task(batcher.run())
        asked = [asyncio.create_task(ask(batcher, model, Prompt([1], 1)))]
        await asyncio.to_thread(begun.wait, 10)
        asked.append(asyncio.create_task(ask(batcher, model, Prompt([2], 1))))
        await asyncio.sleep(0)
        fail.set()
        await asyncio.to_thread(joined.wait, 10)
        asked.append(asyncio.create_task(ask(batcher, model, Prompt([3], 1))))
        await asyncio.sleep(0)
        late.set()
        answers = await asyncio.gather(*asked, return_exceptions=True)
        task.cancel()
        return answers

    *faults, answer = asyncio.run(scenario())
    assert [str(fault) for fault in faults] == ["no memory", "no memory"]
    assert answer.text == "3"
    assert seen == [[1, 2], [3]]


def test_who_hangs_up_makes_room_for_who_waits() -> None:
    steps, model = Steps(), toy("a")

    async def scenario() -> None:
        batcher = Batcher(steps.complete, 64)
        task = asyncio.create_task(batcher.run())
        asked = [batcher.enter(model, Prompt([n], 3)) for n in range(BATCH_REQUESTS + 1)]
        await asyncio.to_thread(steps.begun.wait, 10)
        batcher.give_up(asked[0])
        steps.go_on.release(100)
        answers = await asyncio.gather(*map(batcher.answer, asked[1:]))
        assert {answer.text for answer in answers} == {"xxx"}
        task.cancel()

    asyncio.run(scenario())
    assert steps.beside[1] == set(range(1, BATCH_REQUESTS + 1))


def test_whatever_is_wrong_with_one_batch_is_told_and_the_next_is_answered() -> None:
    def complete(_: Model, rows: list[Row]) -> list[Completion]:
        return [echo(row) for row in rows if row.prompt.tokens != [1]]

    def broken() -> None:
        raise ValueError("tries.json is damaged")

    async def scenario() -> list[Any]:
        batcher = Batcher(complete, 64)
        task = asyncio.create_task(batcher.run())
        never_begun = batcher.enter(MODEL, Prompt([0], 1), begins=broken)
        async with asyncio.timeout(20):
            first = await asyncio.gather(batcher.answer(never_begun), return_exceptions=True)
            second = await asyncio.gather(ask(batcher, MODEL, Prompt([1], 1)), return_exceptions=True)
            third = await ask(batcher, MODEL, Prompt([2], 1))
        assert not task.done()
        task.cancel()
        return [*first, *second, third]

    damaged, too_few, answer = asyncio.run(scenario())
    assert str(damaged) == "tries.json is damaged"
    assert str(too_few) == "0 completions of 1 rows"
    assert answer.text == "2"
