"""vLLM itself behind the interface of engines: real adapters, on a base that only vLLM holds."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from acclimate.core.errors import UserError
from acclimate.core.files import read_json, write_json
from acclimate.release.adapter_form import assemble
from acclimate.release.keys import signing_key, trusted_key
from acclimate.release.signing import PINNED, sign
from acclimate.release.vllm_environment import vllm_python
from acclimate.release.weights import folder_sha256
from acclimate.serving.engine_process import EngineError
from acclimate.serving.engine_vllm import ByVllm, Vllm
from acclimate.serving.generation import Prompt, Row, complete
from acclimate.serving.models import Model, load
from acclimate.serving.state import Packaged

PROMPTS = ("Question: What does numpy.argsum do?\nAnswer:", "os.path.size", "numpy")
LIMITS = {"max_prompt_tokens": 96, "max_new_tokens": 16, "threads": 1}
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def library() -> ByVllm:
    try:
        return ByVllm(vllm_python(), adapters=4)
    except UserError as fault:
        pytest.skip(f"{fault.what}: {fault.fix}")


def packaged_from(run: Path, folder: Path, version: str) -> Packaged:
    folder.mkdir()
    assemble(run / "artifacts/base", run / "artifacts/compose", folder / "model")
    manifest = {"model": "m", "version": version, "weights": "adapter", "sha256": version * 64, **LIMITS}
    write_json(folder / "manifest.json", manifest | {"base_folder_sha256": folder_sha256(folder / "model/base")})
    sign(folder, signing_key())
    return Packaged(version=version, folder=folder, sha256=version * 64)


@pytest.fixture(scope="module")
def packages(
    finished_run: Path, other_finished_run: Path, tmp_path_factory: pytest.TempPathFactory, library: ByVllm
) -> Iterator[list[Packaged]]:
    folder = tmp_path_factory.mktemp("packaged")
    runs = {"1": finished_run, "2": other_finished_run}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ACCLIMATE_HOME", str(tmp_path_factory.mktemp("home")))
        found = [packaged_from(run, folder / version, version) for version, run in runs.items()]
        patch.setenv(PINNED, str(trusted_key()))
        yield found


@pytest.fixture(scope="module")
def models(packages: list[Packaged], library: ByVllm) -> Iterator[list[Model]]:
    models = [load(packaged, library=library) for packaged in packages]
    yield models
    models[0].engine.close()


@pytest.fixture(scope="module")
def expected(packages: list[Packaged], models: list[Model]) -> dict[str, list[str]]:
    """What transformers makes of the same packages, by version; of the base, by 'base'. After vLLM has its base."""
    import acclimate.serving.shared_base as shared

    shared._IN_MEMORY.clear()  # one process serves by one library
    by_transformers = [load(packaged) for packaged in packages]
    assert by_transformers[0].bare is not None
    found = {model.version: texts(model) for model in by_transformers}
    return found | {"base": texts(by_transformers[0].bare)}


def texts(model: Model) -> list[str]:
    rows = [Row(Prompt(model.tokens(prompt), 12)) for prompt in PROMPTS]
    return [completion.text for completion in complete(model, rows)]


def test_every_adapter_and_the_base_answer_as_in_transformers(
    models: list[Model], expected: dict[str, list[str]]
) -> None:
    assert {model.version: texts(model) for model in models} == {v: expected[v] for v in ("1", "2")}
    assert models[0].bare is not None
    assert texts(models[0].bare) == expected["base"]
    assert len({tuple(texts) for texts in expected.values()}) == 3


def test_all_of_them_are_written_in_one_pass_by_one_process(
    models: list[Model], expected: dict[str, list[str]]
) -> None:
    one, two = models
    assert one.bare is not None
    assert one.engine.beside is two.engine.beside is one.bare.engine.beside
    of = {"1": one, "2": two, "base": one.bare}
    rows = {name: [Row(Prompt(of[name].tokens(text), 12), model=of[name]) for text in PROMPTS] for name in of}
    order: list[str] = []
    mixed = [row for triple in zip(*rows.values(), strict=True) for row in triple]
    names = {id(row): name for name, own in rows.items() for row in own}

    def take(row: Row, token: int) -> bool:
        order.append(names[id(row)])
        assert row.model is not None
        return row.take(token, row.model)

    one.engine.write(mixed, take, list)
    found = {name: [row.completion(of[name]).text for row in own] for name, own in rows.items()}
    assert found == expected
    assert set(order[: len(mixed)]) == {"1", "2", "base"}


def test_a_text_ends_at_its_end_its_length_or_a_stop_string_and_a_draw_can_be_repeated(models: list[Model]) -> None:
    model = models[0]
    prompt = Prompt(model.tokens("numpy"), 12)
    (whole,) = complete(model, [Row(prompt)])
    pieces: list[str] = []
    stop = whole.text[3:5]
    (cut,) = complete(model, [Row(Prompt(prompt.tokens, 12, stop=(stop,)), pieces.append)])
    assert cut.text == whole.text[: whole.text.index(stop)] == "".join(pieces)
    drawn = Prompt(prompt.tokens, 12, temperature=1.0, top_p=0.95, seed=-1)
    first, second = (complete(model, [Row(drawn)])[0].text for _ in range(2))
    assert first == second
    given_up = Row(Prompt(prompt.tokens, 16), given_up=True)
    complete(model, [given_up])
    assert given_up.written == []


def test_an_adapter_of_a_higher_rank_than_there_is_room_for_is_told(
    models: list[Model], packages: list[Packaged], expected: dict[str, list[str]], tmp_path: Path
) -> None:
    engine = models[0].engine
    assert isinstance(engine, Vllm)
    adapter = Path(shutil.copytree(packages[0].folder / "model/adapter", tmp_path / "adapter"))
    config = read_json(adapter / "adapter_config.json")
    write_json(adapter / "adapter_config.json", config | {"r": 64})
    with pytest.raises(EngineError, match="vLLM cannot load the adapter: LoRA rank 64 is greater than"):
        engine.process.load(adapter, lambda: None)
    assert texts(models[0]) == expected["1"]


def test_a_whole_model_is_served_too(
    finished_run: Path, library: ByVllm, packages: list[Packaged], tmp_path: Path, expected: dict[str, list[str]]
) -> None:
    folder = tmp_path / "whole"
    shutil.copytree(finished_run / "artifacts/quantize/merged", folder / "model")
    write_json(
        folder / "manifest.json", {"model": "m", "version": "3", "weights": "merged", "sha256": "3" * 64, **LIMITS}
    )
    sign(folder, signing_key())
    model = load(Packaged(version="3", folder=folder, sha256="3" * 64), library=library)
    assert texts(model) == expected["1"]
    model.engine.close()


def test_if_it_is_killed_another_one_has_the_same_adapters(models: list[Model], expected: dict[str, list[str]]) -> None:
    engine = models[1].engine
    assert isinstance(engine, Vllm)
    before = engine.process.pid

    def kill(_: Row, __: int) -> bool:
        os.kill(before, signal.SIGKILL)
        return False

    with pytest.raises(EngineError, match="vLLM ended by SIGKILL"):
        engine.write([Row(Prompt([0, 5], 16))], kill, list)
    assert texts(models[1]) == expected["2"]
    assert texts(models[0]) == expected["1"]
    assert engine.process.pid != before
