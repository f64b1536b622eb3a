from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acclimate.core.errors import UserError
from acclimate.core.files import read_json, write_json
from acclimate.model.adapter import load_base, load_tokenizer
from acclimate.release.forms.gguf_file import in_neighbours, storage, write_f16
from acclimate.release.forms.llama_cpp import LlamaCpp, Piece, quantize, token_ids
from acclimate.release.forms.making import AWKWARD, require_same_tokens

Build = Callable[..., Path]

TOKENS = [0, 17, 101, 44, 9, 30, 12, 77, 5, 201]


def domain_texts() -> list[str]:
    """The documentation of NumPy, SciPy and pandas as it is installed."""
    import pandas as pd
    from scipy import linalg

    found = [inspect.getdoc(value) for module in (np, linalg, pd) for _, value in sorted(vars(module).items())]
    return [text[:1500] for text in found if text]


def logits_of_transformers(folder: Path) -> Any:
    import torch

    with torch.inference_mode():
        return load_base(folder)(torch.tensor([TOKENS])).logits[0].numpy()


def logits_of_llama_cpp(path: Path) -> Any:
    (found,) = LlamaCpp(path, threads=1, window=128).read([Piece(TOKENS, 0, [0], 0)])
    return found


def test_llama_cpp_gives_the_same_token_ids_on_documentation_and_on_awkward_texts(
    finished_run: Path, tmp_path: Path
) -> None:
    merged, path = finished_run / "artifacts/quantize/merged", tmp_path / "model.gguf"
    write_f16(merged, path)
    texts = [*domain_texts(), *AWKWARD]
    assert len(texts) > 500
    expected = load_tokenizer(merged)(texts)["input_ids"]
    assert token_ids(path, texts) == expected


def test_in_half_precision_the_logits_are_those_of_the_merged_model(finished_run: Path, tmp_path: Path) -> None:
    """Half precision keeps 11 bits of a weight: a logit is off by some ten-thousandths of what logits spread over."""
    merged, path = finished_run / "artifacts/quantize/merged", tmp_path / "model.gguf"
    write_f16(merged, path)
    expected = logits_of_transformers(merged)
    assert np.abs(logits_of_llama_cpp(path) - expected).max() < 0.001 * np.ptp(expected)


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        ("Llama", {"attention_bias": True}),
        ("Llama", {"tie_word_embeddings": True, "head_dim": 32, "rope_theta": 500_000.0}),
        ("Mistral", {"sliding_window": None}),
        ("Qwen2", {}),
        ("Qwen3", {"head_dim": 32}),
    ],
)
def test_every_architecture_that_is_translated_computes_the_same(
    build: Build, tmp_path: Path, kind: str, shape: dict[str, Any]
) -> None:
    folder, path = build(kind, **shape), tmp_path / "model.gguf"
    write_f16(folder, path)
    expected = logits_of_transformers(folder)
    assert np.abs(logits_of_llama_cpp(path) - expected).max() < 0.002 * np.ptp(expected)


def test_rows_of_half_a_head_come_in_turns() -> None:
    rows = np.arange(8)
    assert in_neighbours(rows, 2).tolist() == [0, 2, 1, 3, 4, 6, 5, 7]
    assert in_neighbours(rows[:, None] * [1, 10], 1)[:3].tolist() == [[0, 0], [4, 40], [1, 10]]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"architectures": ["GPT2LMHeadModel"]}, "the architecture GPT2LMHeadModel"),
        ({"rope_parameters": {"rope_type": "llama3", "rope_theta": 1e4}}, "rotary embeddings of type llama3"),
        ({"sliding_window": 64}, "attention over the last 64 tokens alone"),
        ({"hidden_act": "gelu"}, "the activation gelu"),
    ],
)
def test_what_llama_cpp_would_compute_differently_is_refused_with_what_to_do(
    build: Build, tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    folder = build("Llama")
    write_json(folder / "config.json", read_json(folder / "config.json") | changes)
    with pytest.raises(UserError) as fault:
        write_f16(folder, tmp_path / "model.gguf")
    assert reason in fault.value.what
    assert "convert_hf_to_gguf.py" in fault.value.fix


def test_a_tokenizer_that_cuts_in_a_way_unknown_to_llama_cpp_is_refused(build: Build, tmp_path: Path) -> None:
    folder = build("Llama")
    tokenizer = read_json(folder / "tokenizer.json")
    write_json(folder / "tokenizer.json", tokenizer | {"pre_tokenizer": {"type": "Whitespace"}})
    with pytest.raises(UserError, match=r"the tokenizer of .* \(BPE: Whitespace\) is not one that is translated"):
        write_f16(folder, tmp_path / "model.gguf")


def test_other_token_ids_than_the_models_own_are_noticed(build: Build, tmp_path: Path) -> None:
    folder, path = build("Llama"), tmp_path / "model.gguf"
    write_f16(folder, path)
    require_same_tokens(folder, path, ["Return the size of a file."])
    tokenizer = read_json(folder / "tokenizer.json")
    tokenizer["model"]["merges"] = []
    write_json(folder / "tokenizer.json", tokenizer)
    with pytest.raises(UserError, match=r"llama\.cpp cuts 1 of 1 texts into other tokens, e\.g\. 'Return the size"):
        require_same_tokens(folder, path, ["Return the size of a file."])


def test_k_quants_fall_back_where_rows_are_not_whole_256s(build: Build, tmp_path: Path) -> None:
    for width in (64, 256):
        write_f16(build("Llama", hidden_size=width, intermediate_size=width), tmp_path / f"{width}.gguf")
        quantize(tmp_path / f"{width}.gguf", tmp_path / f"{width}-q4.gguf", "MOSTLY_Q4_K_M", 1)
        quantize(tmp_path / f"{width}.gguf", tmp_path / f"{width}-q8.gguf", "MOSTLY_Q8_0", 1)
    assert storage(tmp_path / "64-q4.gguf").keys() == {"Q5_0", "Q8_0", "F32"}
    assert "Q4_K" in storage(tmp_path / "256-q4.gguf")
    assert storage(tmp_path / "64-q8.gguf").keys() == {"Q8_0", "F32"}
