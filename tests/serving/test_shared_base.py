"""Two real adapters on one real base: what they answer, and what they cost."""

from __future__ import annotations

import gc
import shutil
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from acclimate.core.errors import UserError
from acclimate.core.files import write_json
from acclimate.release.adapter_form import assemble
from acclimate.release.keys import signing_key, trusted_key
from acclimate.release.signing import PINNED, sign
from acclimate.release.weights import folder_sha256, load_model, weight_bytes
from acclimate.serving.engine_transformers import Transformers
from acclimate.serving.generation import Prompt, Row, complete
from acclimate.serving.models import Model, UnfitError, load
from acclimate.serving.shared_base import adapted, base_of
from acclimate.serving.state import Packaged

PROMPTS = ("Question: What does numpy.argsum do?\nAnswer:", "os.path.size", "numpy")


def packaged_from(run: Path, folder: Path, version: str) -> Packaged:
    """The run's base and adapter in a folder, signed with a key that is pinned."""
    folder.mkdir()
    assemble(run / "artifacts/base", run / "artifacts/compose", folder / "model")
    manifest = {"model": "m", "version": version, "threads": 1, "weights": "adapter", "sha256": version * 64}
    write_json(folder / "manifest.json", manifest | {"base_folder_sha256": folder_sha256(folder / "model/base")})
    sign(folder, signing_key())
    return Packaged(version=version, folder=folder, sha256=version * 64)


@pytest.fixture(scope="module")
def both(
    finished_run: Path, other_finished_run: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Packaged, Packaged]]:
    folder = tmp_path_factory.mktemp("packaged")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ACCLIMATE_HOME", str(tmp_path_factory.mktemp("home")))
        packages = packaged_from(finished_run, folder / "1", "1"), packaged_from(other_finished_run, folder / "2", "2")
        patch.setenv(PINNED, str(trusted_key()))
        yield packages


def written(model: Model) -> list[str]:
    rows = [Row(Prompt(model.tokens(prompt), max_new_tokens=12)) for prompt in PROMPTS]
    return [completion.text for completion in complete(model, rows)]


def network(model: Model) -> Any:
    assert isinstance(model.engine, Transformers)
    return model.engine.network


def logits(network: Any, tokens: list[int]) -> Any:
    import torch

    with torch.inference_mode():
        return network(torch.tensor([tokens])).logits[0]


def test_an_adapter_on_its_base_answers_as_the_merged_model_does(
    both: tuple[Packaged, Packaged], finished_run: Path, other_finished_run: Path
) -> None:
    import torch

    for packaged, run in zip(both, (finished_run, other_finished_run), strict=True):
        model = load(packaged)
        whole, tokenizer = load_model(run / "artifacts/quantize/merged")
        merged = Model(model.manifest, Transformers(whole, tokenizer), tokenizer)
        assert written(model) == written(merged)
        tokens = model.tokens(PROMPTS[0])
        torch.testing.assert_close(
            logits(network(model), tokens), logits(network(merged), tokens), rtol=1e-4, atol=1e-4
        )


def test_a_second_adapter_costs_its_own_bytes_and_no_other(both: tuple[Packaged, Packaged]) -> None:
    def bytes_of(*models: Model) -> int:
        tensors = [tensor for model in models for tensor in (*network(model).parameters(), *network(model).buffers())]
        return sum({tensor.data_ptr(): tensor.nbytes for tensor in tensors}.values())

    one, two = map(load, both)
    assert one.bare is not None
    assert bytes_of(one.bare, one) - bytes_of(one.bare) == pytest.approx(
        weight_bytes(both[0].folder / "model/adapter"), rel=0.1
    )
    assert bytes_of(one, two) - bytes_of(one) == pytest.approx(weight_bytes(both[1].folder / "model/adapter"), rel=0.1)


def test_adapters_do_not_change_each_other_nor_the_base(both: tuple[Packaged, Packaged], finished_run: Path) -> None:
    one = load(both[0])
    before = logits(network(one), one.tokens(PROMPTS[0]))
    two = load(both[1])
    assert one.bare is not None
    base, _ = load_model(finished_run / "artifacts/base")
    tokens = one.tokens(PROMPTS[0])
    assert logits(network(one.bare), tokens).equal(logits(base, tokens))
    assert logits(network(one), tokens).equal(before)
    assert not logits(network(two), tokens).equal(before)
    assert not logits(network(one.bare), tokens).equal(before)
    assert (one.bare.name, one.bare.version) == ("base", one.manifest["base_folder_sha256"][:8])


def test_the_base_goes_with_the_last_model_on_it(both: tuple[Packaged, Packaged]) -> None:
    one, two = map(load, both)
    assert one.bare is not None
    gone = weakref.ref(network(one.bare))
    del one
    gc.collect()
    assert gone() is not None
    del two
    gc.collect()
    assert gone() is None


def test_an_adapter_goes_at_once_without_a_collection(both: tuple[Packaged, Packaged]) -> None:
    one, two = map(load, both)
    written(one)
    gone = weakref.ref(network(one))
    gc.disable()
    try:
        del one
        assert gone() is None
    finally:
        gc.enable()
    assert two.bare is not None


def test_a_changed_byte_of_base_or_adapter_is_refused_by_name(both: tuple[Packaged, Packaged], tmp_path: Path) -> None:
    for name in ("base/model.safetensors", "adapter/adapter_model.safetensors"):
        folder = Path(shutil.copytree(both[0].folder, tmp_path / name.partition("/")[0]))
        content = bytearray((folder / "model" / name).read_bytes())
        content[-1] ^= 1
        (folder / "model" / name).write_bytes(content)
        with pytest.raises(UnfitError, match=f"model/{name} was changed"):
            load(both[0].model_copy(update={"folder": folder}))


def test_of_a_package_on_a_base_in_memory_that_base_is_not_read_again(
    both: tuple[Packaged, Packaged], tmp_path: Path
) -> None:
    expected = written(load(both[1]))
    folder = Path(shutil.copytree(both[1].folder, tmp_path / "two"))
    (folder / "model/base/model.safetensors").write_bytes(b"no weights at all")
    copied = both[1].model_copy(update={"folder": folder})
    with pytest.raises(UnfitError, match=r"model/base/model\.safetensors was changed"):
        load(copied)
    one = load(both[0])
    two = load(copied)
    assert written(two) == expected
    adapter = bytearray((folder / "model/adapter/adapter_model.safetensors").read_bytes())
    adapter[-1] ^= 1
    (folder / "model/adapter/adapter_model.safetensors").write_bytes(adapter)
    with pytest.raises(UnfitError, match=r"model/adapter/adapter_model\.safetensors was changed"):
        load(copied)
    assert one.bare is not None


def test_an_adapter_of_another_base_is_refused(both: tuple[Packaged, Packaged], tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(both[0].folder / "model/adapter", tmp_path / "adapter"))
    weights = load_file(folder / "adapter_model.safetensors")
    some = dict(list(weights.items())[:-2])
    save_file(some, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    base = base_of(both[0].folder / "model", "of this test", {}, load_model)
    with pytest.raises(UserError, match="does not fit this base"):
        adapted(base, folder)
