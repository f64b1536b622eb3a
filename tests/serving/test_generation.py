from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from acclimate.core.files import write_json
from acclimate.release.keys import signing_key, trusted_key
from acclimate.release.signing import PINNED, sign
from acclimate.serving.engine_transformers import probabilities
from acclimate.serving.generation import Completion, Prompt, Row, complete
from acclimate.serving.models import Model, UnfitError, load, verified
from acclimate.serving.state import Packaged


@pytest.fixture(scope="module")
def packaged(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Packaged]:
    """The tiny model in a folder, signed with a key that is pinned."""
    folder = tmp_path_factory.mktemp("packaged")
    shutil.copytree(finished_run / "artifacts/quantize/merged", folder / "model")
    write_json(folder / "manifest.json", {"model": "m", "version": "1", "threads": 1, "sha256": "a" * 64})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ACCLIMATE_HOME", str(tmp_path_factory.mktemp("home")))
        sign(folder, signing_key())
        patch.setenv(PINNED, str(trusted_key()))
        yield Packaged(version="1", folder=folder, sha256="a" * 64)


@pytest.fixture(scope="module")
def model(packaged: Packaged) -> Model:
    return load(packaged)


def test_what_was_not_signed_or_not_approved_is_not_loaded(packaged: Packaged, tmp_path: Path) -> None:
    with pytest.raises(UnfitError, match="approved is bbbbbbbb"):
        verified(packaged.model_copy(update={"sha256": "b" * 64}))
    changed = packaged.model_copy(update={"folder": shutil.copytree(packaged.folder, tmp_path / "changed")})
    (changed.folder / "manifest.json").write_text("{}")
    with pytest.raises(UnfitError, match=r"manifest\.json was changed"):
        verified(changed)


def completed(model: Model, *prompts: Prompt) -> list[Completion]:
    return complete(model, [Row(prompt) for prompt in prompts])


def test_each_prompt_of_a_batch_gets_its_own_number_of_tokens(model: Model) -> None:
    short, long = model.tokens("numpy"), model.tokens("Question: What does numpy.argsum do?\nAnswer:")
    together = completed(model, Prompt(short, 3), Prompt(long, 9))
    assert [answer.new_tokens for answer in together] == [3, 9]
    assert together == [*completed(model, Prompt(short, 3)), *completed(model, Prompt(long, 9))]


def test_a_row_ends_at_an_end_token_and_takes_nothing_after_it(model: Model) -> None:
    row, (end, *_) = Row(Prompt([1], 9)), model.ends
    assert [row.take(token, model) for token in (5, 6, end, 7)] == [False, False, True, True]
    assert (row.written, row.finish_reason) == ([5, 6], "stop")


def test_who_gives_up_ends_the_writing(model: Model) -> None:
    row = Row(Prompt(model.tokens("numpy"), 60), given_up=True)
    complete(model, [row])
    assert row.written == []


@pytest.mark.parametrize(("temperature", "top_p"), [(8e-215, 1.0), (5e-324, 1.0), (1.0, 5e-324)])
def test_however_small_the_dials_the_likeliest_token_can_be_drawn(temperature: float, top_p: float) -> None:
    import torch

    assert probabilities(torch.tensor([1.0, 3.0, 2.0]), Prompt([1], 1, temperature, top_p)).tolist()[1] > 0.5
