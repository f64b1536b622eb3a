from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from acclimate.model.adapter import load_base
from acclimate.model.generation import complete
from acclimate.model.likelihood import Choices, choice_log_likelihoods, window_log_likelihoods
from acclimate.release.forms.gguf_file import write_f16
from acclimate.release.forms.llama_cpp import SEQUENCES, LlamaCpp

# More than are read side by side, of different lengths.
ITEMS = [
    Choices([0, *range(20, 24 + n % 5)], [[30 + n, 7], [9], [11, 12, 13 + n], [200, 5]])
    for n in range(SEQUENCES // 4 + 3)
]
PAIRS = [([0], [17, 4, 90]), ([0, 5, 6], [7]), ([33, 34], [35, 36, 37, 38])]


@pytest.fixture(scope="module")
def both(build: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, LlamaCpp]:
    folder, path = build("Llama"), tmp_path_factory.mktemp("gguf") / "model.gguf"
    write_f16(folder, path)
    return folder, LlamaCpp(path, threads=1, window=128)


def test_choices_are_as_likely_as_to_transformers(both: tuple[Path, LlamaCpp]) -> None:
    folder, llama = both
    ours = choice_log_likelihoods(load_base(folder), ITEMS, batch_items=8)
    for found, expected in zip(llama.choices(ITEMS), ours, strict=True):
        assert found == pytest.approx(expected, abs=0.05)


def test_texts_are_as_likely_as_to_transformers(both: tuple[Path, LlamaCpp]) -> None:
    folder, llama = both
    expected = window_log_likelihoods(load_base(folder), PAIRS, batch_items=8)
    assert llama.windows(PAIRS) == pytest.approx(expected, abs=0.05)


def test_it_writes_the_likeliest_tokens_until_it_is_stopped(both: tuple[Path, LlamaCpp]) -> None:
    folder, llama = both
    prompts = [[0, 17, 4], [0, 9], [0, 200, 201, 202]]
    ours = complete(load_base(folder), prompts, stops=[1], max_new_tokens=6, batch_items=4)
    assert llama.complete(prompts, stops=[1], max_new_tokens=6) == ours
    stop = ours[0][2]
    assert llama.complete(prompts[:1], stops=[stop], max_new_tokens=6) == [ours[0][: ours[0].index(stop)]]
