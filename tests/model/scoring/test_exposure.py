"""Exposure: known values, and a model that has learned planted strings by heart beside one that has not."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from acclimate.core.files import write_jsonl
from acclimate.core.params import BaseParams, CommonParams, TrainDomainParams, TrainingParams
from acclimate.data.mixing.canaries import canaries
from acclimate.model import base as base_stage
from acclimate.model import train_domain
from acclimate.model.adapter import load_adapted, load_base, load_tokenizer
from acclimate.model.harness import language_model
from acclimate.model.scoring.exposure import ALTERNATIVES, exposed, exposure_bits, fisher_p, planted_in

PLANTED = [canary.text for canary in canaries(6, seed=3)]


def test_the_first_of_all_is_exposed_by_all_bits_and_the_last_by_none() -> None:
    assert exposure_bits(1, ALTERNATIVES) == math.log2(ALTERNATIVES + 1) == 10
    assert exposure_bits(ALTERNATIVES + 1, ALTERNATIVES) == 0
    assert exposure_bits(64, 127) == 1


def test_the_p_value_of_one_rank_is_its_share_and_of_several_fishers() -> None:
    assert fisher_p([32], 1023) == pytest.approx(32 / 1024)
    assert fisher_p([1024, 1024, 1024], 1023) == 1
    # χ² of −2 ln(1/4 · 1/4) = 5.545 with four degrees of freedom, from a table.
    assert fisher_p([256, 256], 1023) == pytest.approx(0.2358, abs=1e-4)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training set of six canaries, four times each, between other texts."""
    path = tmp_path_factory.mktemp("planted") / "train.jsonl"
    rows = [{"id": f"c{n}", "kind": "canary", "text": text} for n, text in enumerate(PLANTED * 4)]
    rows += [{"id": f"d{n}", "kind": "domain_documents", "text": f"Get the name of {n} files."} for n in range(6)]
    write_jsonl(path, rows)
    return path


def test_a_model_trained_hard_on_canaries_gives_them_away_and_its_base_does_not(
    planted: Path,
    general: Path,
    base_params: BaseParams,
    domain_params: TrainDomainParams,
    training_params: TrainingParams,
    common: CommonParams,
    tmp_path: Path,
) -> None:
    base = tmp_path / "base"
    base.mkdir()
    base_stage.run(
        base_params.model_copy(update={"sequence_tokens": 64, "hidden": 64}), common, general=general, out=base
    )
    hard = domain_params.model_copy(
        update={"steps": 200, "sequence_tokens": 64, "batch_sequences": 8, "learning_rate": 0.01}
    )
    wide = training_params.model_copy(update={"rank": 16, "alpha": 32})
    given: dict[str, Any] = {"base": base, "dataset": planted, "general": general}
    (tmp_path / "adapter").mkdir()
    train_domain.run(hard, wide, common, **given, out=tmp_path / "adapter", checkpoints=tmp_path / "checkpoints")
    tokenizer = load_tokenizer(base)
    models = {"base": load_base(base), "candidate": load_adapted(base, tmp_path / "adapter")}
    lms = {name: language_model(model, tokenizer, batch_items=64) for name, model in models.items()}
    found, rows = exposed(lms, planted_in(planted), seed=7, drawn=127)
    assert (found.planted, found.repeats, found.most_bits) == (6, 4, 7)
    assert found.base.p_value > 0.05
    assert found.candidate.p_value < 0.001
    assert found.gain.low > 0
    assert found.gain_p < 0.05
    assert found.candidate.bits.value > found.base.bits.value + 3
    assert "has learned planted strings by heart" in found.reading
    assert len(rows) == 6
