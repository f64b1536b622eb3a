"""Jobs with a toy model, so that every order of events can be made."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from acclimate.core.files import read_json, read_jsonl
from acclimate.core.params import EndpointParams, GuardrailsParams, load
from acclimate.release import api_keys
from acclimate.release.roles import places
from acclimate.serving.batching import BACKGROUND_REQUESTS, Batcher
from acclimate.serving.faults import FullError, TooLongError, UnknownModelError
from acclimate.serving.generation import Completion, Prompt, Row
from acclimate.serving.jobs import keeper as keeper_module
from acclimate.serving.jobs.keeper import MOST_TRIES, Keeper, TooManyError, UnknownJobError
from acclimate.serving.jobs.record import Failure, Job
from acclimate.serving.keys import KeyRing
from acclimate.serving.limits import Limits, used_today
from acclimate.serving.models import Model
from acclimate.serving.plain import Answer, Ask
from acclimate.serving.roster import Roster
from acclimate.serving.state import Packaged, Serving

JOBS = {"most": 3, "most_per_key": 2, "requests": 40, "hours": 24.0}
GUARDRAILS = load(Path(__file__).parents[3] / "params.yaml").endpoint.guardrails
Scenario = Callable[[Keeper], Coroutine[Any, Any, None]]


class Letters:
    """A tokenizer of one token per letter."""

    eos_token_id, pad_token_id, bos_token_id, chat_template = 0, 0, None, None

    def __call__(self, text: str, **_: Any) -> dict[str, list[int]]:
        return {"input_ids": [ord(letter) for letter in text]}

    def decode(self, tokens: list[int], **_: Any) -> str:
        return "".join(map(chr, tokens))


def toy(packaged: Packaged) -> Model:
    manifest = {"model": "m", "version": packaged.version, "max_prompt_tokens": 8, "max_new_tokens": 4}
    engine: Any = SimpleNamespace(ends=frozenset({0}), joins=False)
    return Model({**manifest, "prompt": "{question}", "sha256": "a" * 64}, engine, Letters())


def echo(model: Model, rows: list[Row]) -> list[Completion]:
    return [Completion(model.text(row.prompt.tokens), 2, "stop") for row in rows]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ACCLIMATE_HOME", str(tmp_path))
    monkeypatch.setattr(keeper_module, "POLL_SECONDS", 0.01)
    places().folder.mkdir(parents=True)
    return tmp_path


def kept(
    scenario: Scenario,
    complete: Any = echo,
    *,
    limits: Limits | None = None,
    guardrails: GuardrailsParams = GUARDRAILS,
    **dials: Any,
) -> None:
    """Run `scenario` beside a keeper, as the service starts one: with whatever is on the disk."""

    async def _run() -> None:
        settings = {"request_seconds": 60.0, "most_waiting": 9, "drain_seconds": 5.0, "keys": "auto"}
        settings |= {
            "requests_per_minute": None,
            "tokens_per_day": None,
            "cors_origins": [],
            "log_prompts": True,
            "most_adapters": 1,
            "engine": "transformers",
            "base_below": None,
            "guardrails": guardrails,
        }
        params = EndpointParams.model_validate({**settings, "jobs": {**JOBS, **dials}})
        batcher, roster = Batcher(complete, params.most_waiting), Roster(toy)
        await roster.bring(Serving(champion=Packaged(version="1", folder=Path(), sha256="")))
        keeper = Keeper(places(), params, batcher, roster, KeyRing(places()), limits or Limits())
        tasks = [asyncio.create_task(batcher.run()), asyncio.create_task(keeper.run())]
        try:
            await scenario(keeper)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(_run())


def asks(*prompts: str) -> list[Ask]:
    return [Ask(prompt=prompt) for prompt in prompts]


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


def texts(job: Job) -> list[str]:
    return [one.text if isinstance(one, Answer) else one.reason for one in job.outcomes()]


def test_each_request_gets_its_answer_in_its_place() -> None:
    async def scenario(keeper: Keeper) -> None:
        job = await keeper.submit(asks(*(f"p{n}" for n in range(11))), None)
        await until(lambda: job.finished)
        assert texts(job) == [f"p{n}" for n in range(11)]
        assert keeper.find(job.id, None) is job

    kept(scenario)


def test_what_was_done_before_a_kill_is_not_done_again_and_the_rest_is() -> None:
    seen: list[str] = []
    stuck = threading.Event()

    def dying(model: Model, rows: list[Row]) -> list[Completion]:
        if len(seen) >= 2 * BACKGROUND_REQUESTS:
            stuck.wait(20)  # from here on as if killed: nothing comes of it
            raise RuntimeError("killed")
        seen.extend(row.prompt.tokens.__len__().__str__() for row in rows)
        return echo(model, rows)

    ids: list[str] = []

    async def before(keeper: Keeper) -> None:
        job = await keeper.submit(asks(*(f"p{n}" for n in range(11))), None)
        ids.append(job.id)
        await until(lambda: job.done == 2 * BACKGROUND_REQUESTS)
        stuck.set()

    async def after(keeper: Keeper) -> None:
        job = keeper.find(ids[0], None)
        await until(lambda: job.finished)
        assert texts(job) == [f"p{n}" for n in range(11)]

    kept(before, dying)
    again: list[int] = []

    def counting(model: Model, rows: list[Row]) -> list[Completion]:
        again.append(len(rows))
        return echo(model, rows)

    kept(after, counting)
    assert sum(again) == 11 - 2 * BACKGROUND_REQUESTS


def test_who_waits_for_an_answer_comes_first() -> None:
    begun, go_on = threading.Event(), threading.Event()
    order: list[str] = []

    def complete(model: Model, rows: list[Row]) -> list[Completion]:
        order.append(model.text(rows[0].prompt.tokens)[0])
        begun.set()
        go_on.wait(20)
        return echo(model, rows)

    async def scenario(keeper: Keeper) -> None:
        job = await keeper.submit(asks(*["job"] * 3 * BACKGROUND_REQUESTS), None)
        await asyncio.to_thread(begun.wait, 20)
        model = keeper.roster.pick(None)[1]
        interactive = [keeper.batcher.enter(model, Prompt([ord("i")], 1)) for _ in range(9)]
        go_on.set()
        await asyncio.gather(*(keeper.batcher.answer(one) for one in interactive))
        assert job.done <= BACKGROUND_REQUESTS
        await until(lambda: job.finished)
        assert order == ["j", "i", "j", "j"]

    kept(scenario, complete)


def test_a_request_that_fails_is_told_in_its_place() -> None:
    def picky(model: Model, rows: list[Row]) -> list[Completion]:
        if any(row.prompt.tokens == [ord("x")] for row in rows):
            raise RuntimeError("somebody's secret")
        return echo(model, rows)

    async def scenario(keeper: Keeper) -> None:
        job = await keeper.submit(asks(*"abcdxfgh"), None)
        await until(lambda: job.finished)
        assert texts(job) == [*"abcd", *["internal"] * 4]
        assert "secret" not in str(job.outcomes())

    kept(scenario, picky)


def test_a_removed_job_is_worked_on_no_more_and_leaves_nothing() -> None:
    rows_seen: list[Row] = []
    begun = threading.Event()

    def endless(_: Model, rows: list[Row]) -> list[Completion]:
        rows_seen.extend(rows)
        begun.set()
        while not all(row.given_up for row in rows):
            threading.Event().wait(0.005)
        return [Completion("", 0, "length") for _ in rows]

    async def scenario(keeper: Keeper) -> None:
        job = await keeper.submit(asks("a", "b"), None)
        await asyncio.to_thread(begun.wait, 20)
        keeper.remove(job)
        await until(lambda: all(row.given_up for row in rows_seen))
        assert not job.folder.exists()
        with pytest.raises(UnknownJobError):
            keeper.find(job.id, None)

    kept(scenario, endless)


def test_a_job_is_there_for_its_key_alone() -> None:
    async def scenario(keeper: Keeper) -> None:
        job = await keeper.submit(asks("a"), "one")
        assert keeper.find(job.id, "one") is job
        for other in ("two", None):
            with pytest.raises(UnknownJobError):
                keeper.find(job.id, other)

    kept(scenario)


def test_jobs_are_bounded_in_number_size_and_age() -> None:
    async def scenario(keeper: Keeper) -> None:
        with pytest.raises(TooLongError, match="41 requests; at most 40"):
            await keeper.submit(asks(*["a"] * 41), None)
        with pytest.raises(TooLongError, match=r"requests\.1: 9 prompt tokens; at most 8"):
            await keeper.submit(asks("a", "a" * 9), None)
        with pytest.raises(UnknownModelError):
            await keeper.submit([Ask(prompt="a", model="nobody")], None)
        first = await keeper.submit(asks("a"), "one")
        await keeper.submit(asks("a"), "one")
        with pytest.raises(TooManyError, match="2 jobs of this key"):
            await keeper.submit(asks("a"), "one")
        await keeper.submit(asks("a"), "two")
        with pytest.raises(FullError, match="3 jobs are kept already"):
            await keeper.submit(asks("a"), "three")
        first.expires -= timedelta(hours=25)
        with pytest.raises(UnknownJobError):
            keeper.find(first.id, "one")
        assert not first.folder.exists()
        await keeper.submit(asks("a"), "one")

    kept(scenario)


def test_a_job_of_a_key_that_was_revoked_or_has_used_its_tokens_waits() -> None:
    used_up = api_keys.create("ada", tokens_per_day=10).split("_")[1]
    gone = api_keys.create("bob").split("_")[1]
    good = api_keys.create("eve").split("_")[1]
    api_keys.revoke(gone)
    limits = Limits()

    async def scenario(keeper: Keeper) -> None:
        beyond = await keeper.submit(asks(*["abc"] * 20), used_up)
        revoked = await keeper.submit(asks("a"), gone)
        job = await keeper.submit(asks("a"), good)
        await until(lambda: job.finished)
        await asyncio.sleep(0.05)
        assert (beyond.done, revoked.done) == (BACKGROUND_REQUESTS, 0)
        assert limits.used[used_up] == BACKGROUND_REQUESTS * 5
        assert used_today(places().audit).used == limits.used, "a restart gives nobody a new quota"

    kept(scenario, limits=limits)


def test_requests_with_which_the_process_ends_again_and_again_are_left_alone() -> None:
    async def scenario(keeper: Keeper) -> None:
        job = await keeper.submit(asks(*"abcdef"), None)
        for _ in range(MOST_TRIES):
            job.note_try()
        await until(lambda: job.finished)
        assert texts(job) == [*["internal"] * BACKGROUND_REQUESTS, "e", "f"]
        first = job.outcomes()[0]
        assert isinstance(first, Failure)
        assert "ended 3 times" in first.error

    kept(scenario)


def test_what_a_kill_left_of_a_submission_is_removed() -> None:
    half = places().jobs / "half"
    half.mkdir(parents=True)
    (half / ".job.json.partial").write_text("{")

    async def scenario(keeper: Keeper) -> None:
        assert keeper.jobs == {}

    kept(scenario)
    assert not half.exists()


def test_jobs_pass_the_guard_rails_and_the_audit_counts_what_these_found() -> None:
    dials = {"pii_in": "redact", "pii_kinds": ["card"], "topics": {"weather": "rain"}}
    dials |= {"refusal": "No.", "disclaimer": "Mind."}
    strict = GuardrailsParams.model_validate({**GUARDRAILS.model_dump(), **dials})
    prompts = ("4111111111111111", "rain", "sun")

    async def scenario(keeper: Keeper) -> None:
        keeper.roster.serves["champion"][1].manifest["max_prompt_tokens"] = 20
        job = await keeper.submit(asks(*prompts), None)
        await until(lambda: job.finished)
        assert texts(job) == ["[CARD]\n\nMind.", "No.", "sun\n\nMind."]
        endings = [one.finish_reason for one in job.outcomes() if isinstance(one, Answer)]
        assert endings == ["stop", "content_filter", "stop"]

    kept(scenario, guardrails=strict)
    (line,) = read_jsonl(places().audit)
    assert line["guarded"] == {"pii_in.card": 1, "topic.weather": 1}


def test_a_kill_while_a_job_waits_for_its_turn_says_nothing_of_its_requests() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def complete(model: Model, rows: list[Row]) -> list[Completion]:
        begun.set()
        go_on.wait(20)
        return echo(model, rows)

    async def scenario(keeper: Keeper) -> None:
        busy = keeper.batcher.enter(keeper.roster.pick(None)[1], Prompt([ord("i")], 1))
        await asyncio.to_thread(begun.wait, 20)
        job = await keeper.submit(asks("a"), None)
        await until(lambda: keeper.batcher._background)
        assert job.tries() == 0, "it waits behind the other"
        begun.clear()
        go_on.set()
        await keeper.batcher.answer(busy)
        await until(lambda: job.finished)
        assert job.tries() == 0, "and the next chunk was not begun"
        assert read_json(job.folder / "tries.json") == {"chunk": 0, "tries": 1}

    kept(scenario, complete)


def test_nobody_waits_for_the_disk_while_a_job_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    fsync = os.fsync

    def noted(handle: int) -> None:
        synced.append(threading.get_ident())
        fsync(handle)

    monkeypatch.setattr(os, "fsync", noted)

    async def scenario(keeper: Keeper) -> None:
        job = await keeper.submit(asks(*"abcde"), None)
        await until(lambda: job.finished)
        assert len(synced) == 1 + 2 * 2, "the job, and of each of two chunks the try and the answers"
        assert threading.get_ident() not in synced, "where requests are answered"

    kept(scenario)


def test_nothing_is_left_of_a_job_that_is_removed_while_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()
    fsync = os.fsync

    def slow(handle: int) -> None:
        if "0000.json" in os.readlink(f"/proc/self/fd/{handle}"):
            begun.set()
            go_on.wait(20)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", slow)

    async def scenario(keeper: Keeper) -> None:
        job = await keeper.submit(asks(*"abcde"), None)
        await until(begun.is_set)
        threading.Timer(0.2, go_on.set).start()
        keeper.remove(job)
        assert not job.folder.exists()
        job.note_try()
        job.add([])
        assert not job.folder.exists()

    kept(scenario)
