"""An endpoint whose champion is a GGUF file: released for real, asked by OpenAI's own client library."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openai
import pytest

from acclimate.release.forms.llama_cpp import LlamaCpp
from acclimate.release.weights import GGUF, load_tokenizer

from .conftest import Running, endpoint, release
from .test_endpoint import descendants, in_progress

FORM = "gguf-q8_0"
QUESTION = "What does numpy.argsum do?"
Served = tuple[Running, Path]


@pytest.fixture(scope="module")
def served_gguf(
    finished_run: Path,
    migrated_database: Path,
    package_gguf: Callable[[Path, str], None],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Served]:
    """An endpoint, and the folder of the form that it serves."""
    home = tmp_path_factory.mktemp("served_gguf")
    (home / ".acclimate/mlflow").mkdir(parents=True)
    shutil.copyfile(migrated_database, home / ".acclimate/mlflow/mlflow.db")
    checkout = Path(shutil.copytree(finished_run, home / "run-a"))
    package_gguf(checkout, FORM)
    shutil.copyfile(checkout / "params.yaml", home / "params.yaml")
    with contextlib.ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ACCLIMATE_HOME", str(home))
            patch.delenv("MLFLOW_TRACKING_URI", raising=False)
            release(checkout)
            running = stack.enter_context(endpoint(home))
        running.wait_for("1")
        yield running, checkout / "artifacts/quantize/forms" / FORM


@pytest.fixture(scope="module")
def client(served_gguf: Served) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{served_gguf[0].url}/v1", api_key="none", max_retries=0, timeout=60)


def chat(client: openai.OpenAI, **fields: Any) -> Any:
    messages: Any = [{"role": "user", "content": QUESTION}]
    return client.chat.completions.create(**{"model": "champion", "messages": messages, "max_tokens": 12, **fields})


def worker(running: Running) -> int:
    """The process of llama.cpp below the endpoint."""
    (found,) = (
        pid for pid in descendants(running.process.pid) if b"llama_worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    )
    return found


def test_the_answer_is_the_likeliest_as_the_measuring_of_forms_finds_it(
    client: openai.OpenAI, served_gguf: Served
) -> None:
    running, folder = served_gguf
    tokenizer = load_tokenizer(folder)
    prompt = tokenizer(f"Question: {QUESTION}\nAnswer:")["input_ids"]
    llama = LlamaCpp(folder / GGUF, threads=1, window=128)
    (expected,) = llama.complete([prompt], stops=[tokenizer.eos_token_id], max_new_tokens=12)
    answer = chat(client)
    assert answer.choices[0].message.content == tokenizer.decode(expected, skip_special_tokens=True)
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (len(prompt), len(expected))
    streamed = list(chat(client, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in streamed) == answer.choices[0].message.content
    champion = running.json("/api/v1/model/info")["champion"]
    assert champion["weights"] == FORM


def test_the_dials_are_honoured(client: openai.OpenAI) -> None:
    drawn = [chat(client, temperature=2.0, seed=seed).choices[0].message.content for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert (
        chat(client, temperature=1.0, top_p=1e-6).choices[0].message.content == chat(client).choices[0].message.content
    )
    stopped = chat(client, temperature=2.0, seed=1, stop=drawn[0][-3:])
    assert (stopped.choices[0].finish_reason, drawn[0].startswith(stopped.choices[0].message.content)) == ("stop", True)


def test_if_llama_cpp_ends_who_waits_is_told_and_the_service_goes_on(served_gguf: Served) -> None:
    running, _ = served_gguf
    before = worker(running)
    os.kill(before, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(running.ask, question=QUESTION)
        running.until(lambda: in_progress(running) == 1)
        os.kill(before, signal.SIGKILL)
        status, answer = asked.result()
    assert (status, answer["reason"]) == (500, "internal")
    assert "llama.cpp ended by SIGKILL" in running.output.read_text()
    assert running.ask(question=QUESTION)[0] == 200
    assert running.json("/api/v1/health")["ready"]
    assert worker(running) != before
