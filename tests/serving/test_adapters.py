"""A real endpoint that serves adapters of two domains on one base, and sends what is of no domain to the base."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from acclimate.core.files import read_json, write_json, write_parquet
from acclimate.core.params import with_changes
from acclimate.core.records import GENERAL
from acclimate.core.reports import report_path
from acclimate.model.adapter import load_adapted, load_base, load_tokenizer
from acclimate.release.package import package
from acclimate.release.register import register
from acclimate.release.versions.moves import promote
from acclimate.serving.engine_transformers import Transformers
from acclimate.serving.generation import Prompt, Row, complete
from acclimate.serving.models import Model

from .conftest import Running, endpoint

if TYPE_CHECKING:
    from acclimate.serving.engine_transformers import Transformers
from acclimate.serving.generation import Completion

OWN, OTHER = "acclimate-scientific-python", "acclimate-documents"
QUESTION, OFF_TOPIC = "What does numpy.argsum do along axis 1?", "os.path.join, os.path.size"
DIALS = {"package.weights": "adapter", "endpoint.base_below": 0.5, "endpoint.most_adapters": 1}


def prepared(run: Path, out: Path, **dials: Any) -> Path:
    """A copy of a run whose adapter is to be packaged beside its base."""
    checkout = Path(shutil.copytree(run, out))
    path = checkout / "params.yaml"
    path.write_text(with_changes(path.read_text(encoding="utf-8"), {**DIALS, **dials}), encoding="utf-8")
    verdict = report_path("evaluate_quantized", checkout)
    write_json(verdict, read_json(verdict) | {"weights": "adapter"})
    return checkout


def released(checkout: Path) -> None:
    """Release a run, with texts to tell its domain by that its gate has not seen."""
    import pyarrow as pa

    model = register(checkout)["model"]
    with (checkout / "artifacts/mix/train.jsonl").open("a", encoding="utf-8") as file:
        for number in range(40):
            row = {"id": f"g{number}", "kind": "general_replay", "text": f"os.path.size{number}\n\nReturn it."}
            file.write(json.dumps(row) + "\n")
    texts = [QUESTION] * 30 + ["os.path.join"] * 30
    (checkout / "artifacts/dedup").mkdir()
    table = pa.table({"text": texts, "domain": ["docs"] * 30 + [GENERAL] * 30})
    write_parquet(checkout / "artifacts/dedup/test.parquet", table)
    package(checkout)
    promote(checkout, model)


@pytest.fixture(scope="module")
def running(
    finished_run: Path, other_finished_run: Path, migrated_database: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("adapters")
    (home / ".acclimate/mlflow").mkdir(parents=True)
    shutil.copyfile(migrated_database, home / ".acclimate/mlflow/mlflow.db")
    own = prepared(finished_run, home / "run-a")
    other = prepared(other_finished_run, home / "run-b", **{"ingest.domain": "documents"})
    shutil.copyfile(own / "params.yaml", home / "params.yaml")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ACCLIMATE_HOME", str(home))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        released(own)
        released(other)
        with endpoint(home) as served:
            served.wait_for("1")
            Running.until(lambda: OTHER in served.json("/api/v1/health")["adapters"])
            yield served


def expected(network: Any, base: Path, text: str) -> Completion:
    tokenizer = load_tokenizer(base)
    model = Model({"model": "m", "version": "1"}, Transformers(network, tokenizer), tokenizer)
    (completion,) = complete(model, [Row(Prompt(model.tokens(text), 6))])
    return completion


def test_every_name_is_answered_by_its_own_weights(
    running: Running, finished_run: Path, other_finished_run: Path
) -> None:
    base = finished_run / "artifacts/base"
    weights = {
        OWN: load_adapted(base, finished_run / "artifacts/compose"),
        OTHER: load_adapted(base, other_finished_run / "artifacts/compose"),
        "base": load_base(base),
    }
    for name, network in weights.items():
        status, answer = running.ask(question=QUESTION, model=name, max_new_tokens=6)
        assert (status, answer["model"]) == (200, name)
        assert answer["text"] == expected(network, base, f"Question: {QUESTION}\nAnswer:").text
    names = [model["id"] for model in running.json("/v1/models")["data"]]
    assert names == [OWN, "champion", f"{OWN}:1", "base", OTHER, f"{OTHER}:1"]
    assert running.json("/api/v1/health")["adapters"] == {OTHER: {"version": "1", "in_memory": True, "refused": ""}}
    chat = {"model": OTHER, "messages": [{"role": "user", "content": QUESTION}], "max_tokens": 6}
    status, whole = running.post(json.dumps(chat).encode(), path="/v1/chat/completions")
    assert (status, whole["model"]) == (200, f"{OTHER}:1")


def test_what_is_not_of_the_domain_is_answered_by_the_base_and_both_are_counted(running: Running) -> None:
    assert running.ask(question=QUESTION, max_new_tokens=2)[1]["model"] == OWN
    status, answer = running.ask(question=OFF_TOPIC, max_new_tokens=2)
    assert (status, answer["model"]) == (200, "base")
    assert running.ask(question=OFF_TOPIC, model="champion", max_new_tokens=2)[1]["model"] == OWN
    metrics = running.get("/metrics")
    assert 'acclimate_routed_seconds_count{route="adapted"}' in metrics
    assert 'acclimate_routed_seconds_count{route="base"}' in metrics
    assert f'acclimate_request_seconds_count{{role="base",version="{answer["version"]}"}}' in metrics


def test_requests_for_all_of_them_at_once_are_all_answered(running: Running) -> None:
    names = [OWN, OTHER, "base", "champion"] * 6
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda name: running.ask(prompt="numpy", model=name, max_new_tokens=4), names))
    assert {status for status, _ in answers} == {200}
    assert [answer["model"] for _, answer in answers] == [OWN, OTHER, "base", OWN] * 6


def test_a_job_of_another_domain_is_refused_with_its_place(running: Running) -> None:
    body = json.dumps({"requests": [{"prompt": "x"}, {"prompt": "x", "model": OTHER}]}).encode()
    status, answer = running.post(body, path="/api/v1/jobs")
    assert (status, answer["reason"]) == (404, "model_not_found")
    assert answer["error"].startswith("requests.1: jobs are answered by this domain's models")


def test_who_is_not_there_is_told_who_is(running: Running) -> None:
    assert running.ask(prompt="x", model="acclimate-art") == (
        404,
        {
            "error": f"'acclimate-art' is not served; there are champion (version 1), base, {OTHER}",
            "reason": "model_not_found",
        },
    )
