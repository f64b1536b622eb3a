from __future__ import annotations

import asyncio
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bento"))

from generation import BATCH_REQUESTS, Batcher, Completion, Generator, Prompt

if TYPE_CHECKING:
    from collections.abc import Callable


def echo(prompt: Prompt) -> Completion:
    return Completion(str(prompt.tokens[0]), 1, "length")


async def ask_all(complete: Callable[[list[Prompt]], list[Completion]], prompts: list[Prompt]) -> list[Any]:
    batcher = Batcher(complete)
    task = asyncio.create_task(batcher.run())
    answers = await asyncio.gather(*(batcher.ask(prompt) for prompt in prompts), return_exceptions=True)
    task.cancel()
    return list(answers)


def test_everyone_gets_their_own_answer_and_no_batch_is_too_large() -> None:
    sizes: list[int] = []

    def complete(prompts: list[Prompt]) -> list[Completion]:
        sizes.append(len(prompts))
        return [echo(prompt) for prompt in prompts]

    answers = asyncio.run(ask_all(complete, [Prompt([n], 1) for n in range(40)]))
    assert [answer.text for answer in answers] == [str(n) for n in range(40)]
    assert sum(sizes) == 40
    assert max(sizes) == BATCH_REQUESTS


def test_a_fault_reaches_those_who_asked_and_the_next_are_served() -> None:
    def complete(prompts: list[Prompt]) -> list[Completion]:
        if any(prompt.tokens == [0] for prompt in prompts):
            raise RuntimeError("no memory")
        return [echo(prompt) for prompt in prompts]

    async def scenario() -> list[Any]:
        batcher = Batcher(complete)
        task = asyncio.create_task(batcher.run())
        first = await asyncio.gather(batcher.ask(Prompt([0], 1)), return_exceptions=True)
        second = await asyncio.gather(batcher.ask(Prompt([7], 1)), return_exceptions=True)
        task.cancel()
        return [*first, *second]

    fault, answer = asyncio.run(scenario())
    assert str(fault) == "no memory"
    assert answer.text == "7"


def test_who_hangs_up_is_not_computed_for() -> None:
    begun, go_on = threading.Event(), threading.Event()
    seen: list[int] = []

    def complete(prompts: list[Prompt]) -> list[Completion]:
        seen.extend(prompt.tokens[0] for prompt in prompts)
        begun.set()
        go_on.wait(10)
        return [echo(prompt) for prompt in prompts]

    async def scenario() -> None:
        batcher = Batcher(complete)
        task = asyncio.create_task(batcher.run())
        first = asyncio.create_task(batcher.ask(Prompt([1], 1)))
        await asyncio.to_thread(begun.wait, 10)
        impatient = asyncio.create_task(batcher.ask(Prompt([2], 1)))
        last = asyncio.create_task(batcher.ask(Prompt([3], 1)))
        await asyncio.sleep(0)
        impatient.cancel()
        await asyncio.sleep(0)
        go_on.set()
        await asyncio.gather(first, last)
        task.cancel()

    asyncio.run(scenario())
    assert seen == [1, 3]


@pytest.fixture(scope="module")
def generator(finished_run: Path) -> Generator:
    return Generator(finished_run / "artifacts/quantize/merged", threads=1)


def test_each_prompt_of_a_batch_gets_its_own_number_of_tokens(generator: Generator) -> None:
    short, long = generator.tokens("numpy"), generator.tokens("Question: What does numpy.argsum do?\nAnswer:")
    together = generator.complete([Prompt(short, 3), Prompt(long, 9)])
    assert [answer.new_tokens for answer in together] == [3, 9]
    assert together == [*generator.complete([Prompt(short, 3)]), *generator.complete([Prompt(long, 9)])]


def test_a_completion_ends_at_the_end_of_text_token(generator: Generator) -> None:
    answer = generator._completion([*generator.tokens("abc"), generator._stop, 5, 5])
    assert (answer.text, answer.finish_reason) == ("abc", "stop")
