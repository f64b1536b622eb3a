"""What answers cost, measured on the tiny model; how much depends on the machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from acclimate.core.params import ScoreParams
from acclimate.model.adapter import load_base, load_tokenizer
from acclimate.model.assess import Material, time_answers
from acclimate.model.scoring.asking import form_of


@pytest.fixture
def material(evaluation: Path, examples: Path, own_tasks: Path, behaviour: Path) -> Material:
    return Material(evaluation, examples, None, own_tasks, behaviour)


def test_answers_are_timed_on_a_named_machine(tiny_base: Path, material: Material, score_params: ScoreParams) -> None:
    found = time_answers(load_base(tiny_base), load_tokenizer(tiny_base), material, score_params)
    assert found is not None
    assert found.requests == 2
    assert 0 < found.latency_p50_ms <= found.latency_ms
    assert found.tokens_per_second > 0
    assert found.memory_mb > 100
    assert "threads" in found.machine


def test_where_nothing_is_observed_nothing_is_timed(
    tiny_base: Path, material: Material, score_params: ScoreParams
) -> None:
    off = score_params.model_copy(update={"observe": None})
    assert time_answers(load_base(tiny_base), load_tokenizer(tiny_base), material, off) is None


def test_answers_are_timed_in_the_form_of_the_model(
    tiny_base: Path, material: Material, score_params: ScoreParams
) -> None:
    tokenizer = load_tokenizer(tiny_base)
    asked = replace(material, form=form_of("alpaca", tokenizer))
    found = time_answers(load_base(tiny_base), tokenizer, asked, score_params)
    assert found is not None
    assert found.requests == 2
