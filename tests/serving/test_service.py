from __future__ import annotations

import json
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from acclimate.core.files import read_json, read_jsonl
from acclimate.release.package import bento_environment
from acclimate.release.weights import load_model

from .conftest import Running, free_port

if TYPE_CHECKING:
    Served = tuple[Any, Path]

PROMPT = "Question: What does numpy.argsum do?\nAnswer:"


def test_a_question_gets_the_answer_of_the_judged_weights(served: Served) -> None:
    endpoint, home = served
    status, answer = endpoint.ask(question="What does numpy.argsum do?", max_new_tokens=8)
    model, tokenizer = load_model(home / "run-a/artifacts/quantize/quantized")
    encoded = tokenizer(PROMPT, return_tensors="pt", return_token_type_ids=False)
    written = model.generate(**encoded, max_new_tokens=8, do_sample=False)[0, encoded["input_ids"].shape[1] :]
    assert status == 200
    assert answer == {
        "text": tokenizer.decode(written, skip_special_tokens=True),
        "model": "acclimate-scientific-python",
        "version": "1",
        "prompt_tokens": encoded["input_ids"].shape[1],
        "new_tokens": 8,
        "finish_reason": "length",
    }


def test_a_question_is_a_prompt_in_the_trained_form(served: Served) -> None:
    endpoint, _ = served
    asked = endpoint.ask(question="What does numpy.argsum do?")
    assert endpoint.ask(prompt=PROMPT) == asked


def test_health_names_the_weights_that_were_judged(served: Served) -> None:
    endpoint, home = served
    health = endpoint.json("/api/v1/health")
    judged = read_json(home / "run-a/reports/evaluate_quantized.json")["quantized_sha256"]
    champion = health["roles"]["champion"]
    assert (health["ready"], champion["version"], champion["sha256"]) == (True, "1", judged)
    assert endpoint.json("/api/v1/model/info") == health["roles"]


def test_answers_are_the_same_alone_and_in_a_crowd(served: Served) -> None:
    endpoint, _ = served
    prompts = [f"Question: What does numpy.{'x' * length} do?\nAnswer:" for length in range(1, 25, 2)]
    alone = [endpoint.ask(prompt=prompt, max_new_tokens=6) for prompt in prompts]
    with ThreadPoolExecutor(len(prompts)) as crowd:
        together = list(crowd.map(lambda prompt: endpoint.ask(prompt=prompt, max_new_tokens=6), prompts))
    assert together == alone
    assert {status for status, _ in alone} == {200}


def test_a_prompt_that_is_too_long_is_refused_not_cut(served: Served) -> None:
    endpoint, _ = served
    status, answer = endpoint.ask(prompt="word " * 200)
    assert status == 422
    assert "prompt tokens; at most 96 are allowed" in answer["error"]


def test_more_new_tokens_than_allowed_are_refused(served: Served) -> None:
    endpoint, _ = served
    assert endpoint.ask(prompt="x", max_new_tokens=17) == (
        422,
        {"error": "17 new tokens asked for; at most 16 are allowed", "reason": "too_long"},
    )


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "exactly one of prompt and question"),
        ({"prompt": "a", "question": "b"}, "exactly one of prompt and question"),
        ({"prompt": "a", "top_k": 1}, "top_k: Extra inputs are not permitted"),
        ({"prompt": "a", "temperature": 2.5}, "temperature: Input should be less than or equal to 2"),
        ({"prompt": "a", "top_p": 0}, "top_p: Input should be greater than 0"),
        ({"prompt": "a", "stop": ["a"] * 5}, "stop: Tuple should have at most 4 items"),
        ({"prompt": 7}, "prompt: Input should be a valid string"),
        ({"prompt": ""}, "at least 1 character"),
        ({"prompt": "a", "max_new_tokens": "8"}, "max_new_tokens: Input should be a valid integer"),
        ({"prompt": "a", "max_new_tokens": 0}, "greater than or equal to 1"),
    ],
)
def test_a_request_of_another_shape_is_refused_with_the_reason(
    served: Served, fields: dict[str, Any], told: str
) -> None:
    endpoint, _ = served
    status, answer = endpoint.ask(**fields)
    assert status == 422
    assert told in answer["error"]


@pytest.mark.parametrize("body", [b'{"prompt": ', b"", b"[]", b'{"prompt": "\\ud800"}', b"[" * 200_000])
def test_broken_json_is_refused(served: Served, body: bytes) -> None:
    endpoint, _ = served
    status, answer = endpoint.post(body)
    assert status in (400, 422)
    assert answer["reason"] == "invalid"


class Touch:
    """Unpickling this makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[Path]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize(
    "content_type",
    [
        "application/vnd.bentoml+pickle",
        "application/octet-stream",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json+pickle",
        "text/plain",
        None,
    ],
)
def test_anything_but_json_is_refused_and_a_pickle_does_not_run(
    served: Served, tmp_path: Path, content_type: str | None
) -> None:
    endpoint, _ = served
    status, answer = endpoint.post(pickle.dumps(Touch(tmp_path / "ran")), content_type)
    assert (status, answer["reason"]) == (415, "content_type")
    assert not (tmp_path / "ran").exists()


def test_a_pickle_called_json_does_not_run(served: Served, tmp_path: Path) -> None:
    endpoint, _ = served
    status, answer = endpoint.post(pickle.dumps(Touch(tmp_path / "ran")))
    assert (status, answer["reason"]) == (400, "invalid")
    assert not (tmp_path / "ran").exists()


def test_a_huge_body_is_refused_unread(served: Served) -> None:
    endpoint, _ = served
    status, answer = endpoint.post(b'{"prompt": "' + b"x" * 300_000 + b'"}')
    assert (status, answer["reason"]) == (413, "too_large")


def test_metrics_count_tokens_and_refusals(served: Served) -> None:
    endpoint, _ = served
    _, answer = endpoint.ask(prompt="x", max_new_tokens=4)
    endpoint.ask(prompt="word " * 200)
    assert endpoint.status("/no-such-page") == 404
    lines = dict(line.rsplit(" ", 1) for line in endpoint.get("/metrics").splitlines() if not line.startswith("#"))
    assert float(lines['acclimate_generated_tokens_total{version="1"}']) >= answer["new_tokens"]
    assert float(lines['acclimate_prompt_tokens_total{version="1"}']) >= answer["prompt_tokens"]
    assert float(lines['acclimate_refusals_total{reason="too_long"}']) >= 1
    assert float(lines['acclimate_requests_total{role="champion",status="200",version="1"}']) >= 1
    assert not any("no-such-page" in name for name in lines), "what anybody may write is no label"


def test_what_was_asked_is_logged_without_who_asked(served: Served) -> None:
    endpoint, home = served
    endpoint.ask(question="What is logged?", max_new_tokens=4)
    row = read_jsonl(home / ".acclimate/endpoint/requests.jsonl")[-1]
    assert row["prompt"] == "Question: What is logged?\nAnswer:"
    assert set(row) == {"time", "version", "prompt", "prompt_tokens", "new_tokens", "latency_s"}


def test_how_a_request_went_is_logged_without_what_was_asked(served: Served) -> None:
    endpoint, home = served
    _, answer = endpoint.ask(prompt="numpy", max_new_tokens=4)
    endpoint.ask(prompt="word " * 200)
    good, bad = read_jsonl(home / ".acclimate/endpoint/access.jsonl")[-2:]
    assert {key: good[key] for key in ("method", "path", "status", "role", "version", "finish_reason")} == {
        "method": "POST",
        "path": "/api/v1/generate",
        "status": 200,
        "role": "champion",
        "version": "1",
        "finish_reason": "length",
    }
    assert (good["prompt_tokens"], good["new_tokens"]) == (answer["prompt_tokens"], 4)
    assert 0 < good["latency_s"] < 60
    assert (bad["status"], bad["new_tokens"]) == (422, None)
    assert len({good["id"], bad["id"]}) == 2
    assert "numpy" not in json.dumps(good)


def test_a_bento_serves_its_own_model_without_acclimate_endpoint(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint, home = served
    monkeypatch.setenv("ACCLIMATE_HOME", str(home))
    tag, port = read_json(home / "run-a/reports/package.json")["bento"], free_port()
    command = [*(sys.executable, "-m", "bentoml", "serve", tag), *("--host", "127.0.0.1", "--port", str(port))]
    output = tmp_path / "bento.log"
    with output.open("w") as log:
        process = subprocess.Popen(command, cwd=tmp_path, env=bento_environment(), stdout=log, stderr=log, text=True)
    alone = Running(process, port, output)
    try:
        alone.wait_for("1")
        assert alone.ask(prompt="numpy", max_new_tokens=4) == endpoint.ask(prompt="numpy", max_new_tokens=4)
    finally:
        process.terminate()
        process.wait(30)


def test_it_listens_on_loopback_only(served: Served) -> None:
    endpoint, _ = served
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    addresses = {row[1].split(":")[0] for row in listening if int(row[1].split(":")[1], 16) == endpoint.port}
    assert addresses == {"0100007F"}
