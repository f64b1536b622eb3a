"""What answers cost, measured on the tiny model; how much depends on the machine."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from acclimate.core.files import read_json
from acclimate.core.params import ScoreParams
from acclimate.model.adapter import load_base, load_tokenizer
from acclimate.model.assess import Material, time_answers
from acclimate.model.scoring.efficiency import Efficiency


@pytest.fixture
def material(evaluation: Path, examples: Path, own_tasks: Path, behaviour: Path) -> Material:
    return Material(evaluation, examples, None, own_tasks, behaviour)


def test_answers_are_timed_on_a_named_machine(
    tiny_base: Path, material: Material, score_params: ScoreParams, tmp_path: Path
) -> None:
    time_answers(load_base(tiny_base), load_tokenizer(tiny_base), material, score_params, tmp_path)
    found = Efficiency(**read_json(tmp_path / "efficiency.json"))
    assert found.requests == 2
    assert 0 < found.latency_p50_ms <= found.latency_ms
    assert found.tokens_per_second > 0
    assert found.memory_mb > 100
    assert "threads" in found.machine
    assert list(asdict(found))[-1] == "memory_mb"


def test_where_nothing_is_observed_nothing_is_timed(
    tiny_base: Path, material: Material, score_params: ScoreParams, tmp_path: Path
) -> None:
    off = score_params.model_copy(update={"observe": None})
    time_answers(load_base(tiny_base), load_tokenizer(tiny_base), material, off, tmp_path)
    assert list(tmp_path.iterdir()) == []
