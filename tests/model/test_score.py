from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acclimate.core.errors import UserError
from acclimate.core.files import read_jsonl, write_jsonl
from acclimate.core.params import ScoreParams
from acclimate.model.adapter import load_base, load_tokenizer
from acclimate.model.score import headline, score, summarise

ALL = ScoreParams(batch_items=3, max_items=None)


@pytest.fixture(scope="module")
def model(tiny_base: Path) -> Any:
    return load_base(tiny_base)


@pytest.fixture(scope="module")
def tokenizer(tiny_base: Path) -> Any:
    return load_tokenizer(tiny_base)


@pytest.fixture(scope="module")
def scored(model: Any, tokenizer: Any, evaluation: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    out = tmp_path_factory.mktemp("scored")
    return out, score(model, tokenizer, evaluation, ALL, out, seed=1)


def by_hand(model: Any, tokenizer: Any, text: str) -> float:
    """The log-likelihood of a whole text after <s>, one forward pass."""
    import torch

    tokens = torch.tensor([[0, *tokenizer(text, add_special_tokens=False)["input_ids"]]])
    with torch.no_grad():
        chances = model(tokens).logits[0, :-1].double().log_softmax(dim=1)
    return float(chances.gather(1, tokens[0, 1:, None]).sum())


def test_a_cloze_row_holds_the_likelihood_of_each_choice_and_what_follows(
    model: Any, tokenizer: Any, evaluation: Path, scored: tuple[Path, Any]
) -> None:
    item = read_jsonl(evaluation / "domain_cloze.jsonl")[0]
    row = read_jsonl(scored[0] / "domain_cloze.jsonl")[0]
    # The blank before the term belongs to the term's token, as it does in nearly every real item.
    assert item["left"].endswith(" ")
    left = by_hand(model, tokenizer, item["left"].rstrip())
    expected = [by_hand(model, tokenizer, item["left"] + c + item["right"]) - left for c in item["choices"]]
    assert row["log_likelihoods"] == pytest.approx(expected, abs=1e-3)
    assert row["choice"] == int(np.argmax(expected))
    assert row["correct"] is (row["choice"] == item["label"])
    assert list(row) == ["id", "cluster", "label", "choice", "correct", "log_likelihoods"]


def test_a_text_row_holds_its_likelihood_and_its_bytes(
    model: Any, tokenizer: Any, evaluation: Path, scored: tuple[Path, Any]
) -> None:
    item = read_jsonl(evaluation / "general_text.jsonl")[0]
    row = read_jsonl(scored[0] / "general_text.jsonl")[0]
    assert row["log_likelihood"] == pytest.approx(by_hand(model, tokenizer, item["text"]), abs=1e-3)
    assert row["bytes"] == len(item["text"].encode()) > len(item["text"])
    assert list(row) == ["id", "cluster", "log_likelihood", "bytes"]


def test_rows_are_in_item_order_and_none_is_missing(evaluation: Path, scored: tuple[Path, Any]) -> None:
    for path in sorted(evaluation.glob("*.jsonl")):
        assert [row["id"] for row in read_jsonl(scored[0] / path.name)] == [row["id"] for row in read_jsonl(path)]


def test_the_summary_adds_up_the_rows(scored: tuple[Path, Any]) -> None:
    out, summaries = scored
    cloze, text = read_jsonl(out / "general_cloze.jsonl"), read_jsonl(out / "domain_text.jsonl")
    assert summaries["general_cloze"]["accuracy"] == pytest.approx(np.mean([row["correct"] for row in cloze]))
    per_byte = -sum(row["log_likelihood"] for row in text) / math.log(2) / sum(row["bytes"] for row in text)
    assert summaries["domain_text"]["bits_per_byte"] == pytest.approx(per_byte, abs=1e-6)
    assert summaries["domain_text"]["clusters"] == 3
    low, high = summaries["domain_text"]["interval"]
    assert low <= per_byte <= high
    assert headline(summaries).startswith("domain cloze 0.")


def test_equal_runs_give_equal_bytes(
    model: Any, tokenizer: Any, evaluation: Path, scored: tuple[Path, Any], tmp_path: Path
) -> None:
    score(model, tokenizer, evaluation, ALL, tmp_path / "again", seed=1)
    for path in sorted(scored[0].iterdir()):
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()


def test_max_items_takes_the_first_of_every_task(model: Any, tokenizer: Any, evaluation: Path, tmp_path: Path) -> None:
    summaries = score(model, tokenizer, evaluation, ScoreParams(batch_items=2, max_items=2), tmp_path, seed=1)
    assert {name: summary["n"] for name, summary in summaries.items()} == dict.fromkeys(summaries, 2)


@pytest.mark.parametrize("rows", [None, []])
def test_a_task_without_items_is_named(
    model: Any, tokenizer: Any, evaluation: Path, tmp_path: Path, rows: list[Any] | None
) -> None:
    for path in evaluation.glob("*.jsonl"):
        if path.stem != "general_cloze":
            write_jsonl(tmp_path / path.name, read_jsonl(path))
    if rows is not None:
        write_jsonl(tmp_path / "general_cloze.jsonl", rows)
    with pytest.raises(UserError, match=r"general_cloze\.jsonl has no items"):
        score(model, tokenizer, tmp_path, ALL, tmp_path / "out", seed=1)


def test_a_share_has_its_wilson_interval() -> None:
    rows = [{"cluster": str(i), "correct": i < 81} for i in range(263)]
    assert summarise(rows, seed=1) == {
        "n": 263,
        "clusters": 263,
        "accuracy": 0.307985,
        "interval": [pytest.approx(0.2553, abs=5e-5), pytest.approx(0.3662, abs=5e-5)],
    }
