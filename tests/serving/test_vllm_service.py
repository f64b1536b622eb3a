"""A real endpoint that has vLLM compute: adapters of two domains and their base, over HTTP."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import openai
import pytest

from acclimate.core.errors import UserError
from acclimate.model.adapter import load_adapted, load_base
from acclimate.release.vllm_environment import vllm_python
from acclimate.serving.engine_vllm import PYTHON

from .conftest import Running, endpoint
from .test_adapters import OTHER, OWN, QUESTION, expected, prepared, released

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def running(
    finished_run: Path, other_finished_run: Path, migrated_database: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    try:
        python = vllm_python()
    except UserError as fault:
        pytest.skip(f"{fault.what}: {fault.fix}")
    home = tmp_path_factory.mktemp("vllm")
    (home / ".acclimate/mlflow").mkdir(parents=True)
    shutil.copyfile(migrated_database, home / ".acclimate/mlflow/mlflow.db")
    own = prepared(finished_run, home / "run-a", **{"endpoint.engine": "vllm"})
    other = prepared(other_finished_run, home / "run-b", **{"ingest.domain": "documents"})
    shutil.copyfile(own / "params.yaml", home / "params.yaml")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ACCLIMATE_HOME", str(home))
        patch.setenv(PYTHON, str(python))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        released(own)
        released(other)
        with endpoint(home) as served:
            served.wait_for("1")
            Running.until(lambda: OTHER in served.json("/api/v1/health")["adapters"])
            yield served


def test_all_models_on_a_base_are_asked_at_once_and_answer_as_in_transformers(
    running: Running, finished_run: Path, other_finished_run: Path
) -> None:
    base = finished_run / "artifacts/base"
    prompt = f"Question: {QUESTION}\nAnswer:"
    weights = {
        OWN: load_adapted(base, finished_run / "artifacts/compose"),
        OTHER: load_adapted(base, other_finished_run / "artifacts/compose"),
        "base": load_base(base),
    }
    texts = {name: expected(network, base, prompt).text for name, network in weights.items()}
    names = [*weights] * 4
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda name: running.ask(prompt=prompt, model=name, max_new_tokens=6), names))
    assert [status for status, _ in answers] == [200] * 12
    assert [(answer["model"], answer["text"]) for _, answer in answers] == [(name, texts[name]) for name in names]


def test_a_stream_is_that_answer_in_pieces(running: Running) -> None:
    client = openai.OpenAI(base_url=f"{running.url}/v1", api_key="none", max_retries=0)
    whole = client.completions.create(model=OTHER, prompt="numpy", max_tokens=6)
    streamed = client.completions.create(model=OTHER, prompt="numpy", max_tokens=6, stream=True)
    assert "".join(piece.choices[0].text for piece in streamed) == whole.choices[0].text
