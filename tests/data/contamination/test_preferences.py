"""Pairs of answers are training text: those that hold an evaluation item do not reach training."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from acclimate.core.certificate import require_certified
from acclimate.core.errors import UserError
from acclimate.core.files import read_jsonl
from acclimate.core.params import DecontaminateParams, Preferences
from acclimate.core.reports import Funnel
from acclimate.data.contamination.item_overlaps import ItemIndex
from acclimate.data.contamination.preferences import common_beginning, pass_on
from acclimate.data.contamination.wanted_items import WantedItems
from acclimate.data.evaluation.evaluation_items import Question

ITEM = "Before the glaze is put on, the pots are fired once at nine hundred and fifty degrees so that they keep shape"
QUESTIONS = [Question("domain_text", "d1", ITEM), Question("quiz", "q1", "What is bisque?")]
PREFERENCES = Preferences(path="inputs/preference/*.jsonl", prompt="asked.0", chosen="better.text", rejected="worse")
PARAMS = DecontaminateParams(
    drop_words=13,
    flag_words=8,
    near_duplicate=0.8,
    validation="drop",
    boilerplate_documents=3,
    benchmarks=[],
    preferences=PREFERENCES,
    rephrased="off",
    embedder="tfidf",
    similarity=0.6,
    neighbours=5,
    judge=None,
)
Pass = Callable[..., Funnel]


@pytest.fixture
def passed(tmp_path: Path) -> Pass:
    """passed(*records, **dials): the funnel of these records in a file below inputs/preference."""

    def run(*records: Any, **dials: Any) -> Funnel:
        folder = tmp_path / "inputs/preference"
        folder.mkdir(parents=True, exist_ok=True)
        lines = (json.dumps(record) + "\n" for record in records)
        (folder / "pairs.jsonl").write_text("".join(lines), encoding="utf-8")
        params = PARAMS.model_copy(update=dials)
        wanted = WantedItems(QUESTIONS, [], [], {})
        index = ItemIndex.of([item.text for item in wanted.all], wanted.evaluation_items, params)
        return pass_on(params, wanted, index, inputs=tmp_path / "inputs", out=tmp_path / "out")

    return run


def record(prompt: str = "How hot?", better: str = "Hot enough.", worse: str = "No idea.") -> dict[str, Any]:
    return {"asked": [prompt], "better": {"text": better}, "worse": worse}


def kept(folder: Path) -> list[dict[str, Any]]:
    return read_jsonl(folder / "out/preference/pairs.jsonl")


def test_a_pair_is_read_by_the_mapping_and_certified(passed: Pass, tmp_path: Path) -> None:
    assert passed(record()) == Funnel(1, 1, {})
    (pair,) = kept(tmp_path)
    expected = {"prompt": "How hot?", "dialogue": False, "chosen": "Hot enough.", "rejected": "No idea."}
    assert {name: pair[name] for name in expected} == expected
    require_certified(tmp_path / "out/preference/pairs.jsonl")


def test_without_a_field_for_the_prompt_it_is_what_both_dialogues_begin_with(passed: Pass, tmp_path: Path) -> None:
    whole = Preferences(path="inputs/preference/*.jsonl", chosen="chosen", rejected="rejected")
    passed(
        {"chosen": "Human: Hot?\n\nAssistant: Not yet.", "rejected": "Human: Hot?\n\nAssistant: No."}, preferences=whole
    )
    (pair,) = kept(tmp_path)
    assert (pair["prompt"], pair["chosen"], pair["rejected"]) == ("Human: Hot?\n\nAssistant:", " Not yet.", " No.")
    assert pair["dialogue"]


@pytest.mark.parametrize(
    "held",
    [
        record(prompt=f"Is this right? {ITEM}"),
        record(better=f"{ITEM.upper()}, as I said."),
        record(worse=ITEM),
        record(prompt="What is bisque?"),
    ],
)
def test_a_pair_that_holds_an_evaluation_item_anywhere_goes_with_its_reason(
    held: dict[str, Any], passed: Pass, tmp_path: Path
) -> None:
    funnel = passed(held, record())
    assert (funnel.records_in, funnel.records_out) == (2, 1)
    assert [pair["prompt"] for pair in kept(tmp_path)] == ["How hot?"]
    (rejected,) = read_jsonl(tmp_path / "out/preference/rejected.jsonl")
    assert rejected["detail"] in {"domain_text d1", "quiz q1"}


def test_what_is_no_pair_is_rejected_with_its_place(passed: Pass, tmp_path: Path) -> None:
    other = {"asked": [], "better": {"text": "Yes."}, "worse": "No."}
    funnel = passed(record(), record(worse="Hot enough. "), record(worse=" "), record(better=""), other, record())
    assert funnel.rejected == {
        "both answers are the same": 1,
        "no chosen answer": 1,
        "no prompt": 1,
        "no rejected answer": 1,
        "the same pair again": 1,
    }
    rejects = read_jsonl(tmp_path / "out/preference/rejected.jsonl")
    assert rejects[0]["origin"] == "inputs/preference/pairs.jsonl:2"


def test_pairs_that_only_say_an_item_in_other_words_go_where_texts_do(passed: Pass, tmp_path: Path) -> None:
    other = record(
        better="So that pots keep shape they are fired once, at nine hundred and fifty degrees, before glaze"
    )
    assert passed(other, record()).records_out == 2
    assert passed(other, record(), rephrased="drop").rejected == {"rephrases an item": 1}


def test_without_preferences_an_empty_file_is_certified(passed: Pass, tmp_path: Path) -> None:
    assert passed(record(), preferences=None) == Funnel(0, 0, {})
    assert kept(tmp_path) == []
    require_certified(tmp_path / "out/preference/pairs.jsonl")


def test_a_path_that_names_nothing_is_refused(passed: Pass) -> None:
    missing = PREFERENCES.model_copy(update={"path": "inputs/preferred.jsonl"})
    with pytest.raises(UserError, match=r"no file matches inputs/preferred\.jsonl"):
        passed(record(), preferences=missing)


def test_a_common_beginning_ends_with_a_whole_word() -> None:
    assert common_beginning("We say no", "We say not") == "We say"
    assert common_beginning("No", "Not") == ""
    assert common_beginning("A b", "A b c") == "A"
