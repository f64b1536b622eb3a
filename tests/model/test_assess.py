"""Everything observed of a model, on one of 30 thousand parameters."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from acclimate.core.errors import UserError
from acclimate.core.files import read_jsonl
from acclimate.core.params import ObserveParams, ScoreParams
from acclimate.model.adapter import load_base, load_tokenizer
from acclimate.model.assess import Material, assess
from acclimate.model.score import score
from acclimate.model.scoring.dimensions import SLICED, Assessment
from acclimate.model.scoring.robustness import BASES


@pytest.fixture(scope="module")
def model(tiny_base: Path) -> Any:
    return load_base(tiny_base)


@pytest.fixture(scope="module")
def tokenizer(tiny_base: Path) -> Any:
    return load_tokenizer(tiny_base)


@pytest.fixture(scope="module")
def material(evaluation: Path, examples: Path, own_tasks: Path, behaviour: Path, dataset: Path) -> Material:
    return Material(evaluation, examples, dataset, own_tasks, behaviour)


@pytest.fixture(scope="module")
def observed(
    model: Any, tokenizer: Any, material: Material, score_params: ScoreParams, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Assessment]:
    out = tmp_path_factory.mktemp("observed")
    score(model, tokenizer, material.evaluation, score_params, out, seed=1)
    found = assess(model, tokenizer, material, score_params, out, seed=1)
    assert found is not None
    return out, found


def test_behavioural_tests_are_put_to_the_model_and_every_case_has_a_row(observed: tuple[Path, Assessment]) -> None:
    out, found = observed
    rows = read_jsonl(out / "behaviour.jsonl")
    assert [row["id"] for row in rows] == ["context/a phrase/0", "context/capitals/0", "context/subject/0"]
    context = found.behaviour["context"]
    assert context.failure_rate.n == 3
    assert context.failure_rate.value == pytest.approx(sum(row["failed"] for row in rows) / 3, abs=1e-6)
    assert "behaviour" not in found.tasks


def test_every_task_has_a_row_per_item_from_which_its_mean_follows(observed: tuple[Path, Assessment]) -> None:
    out, found = observed
    for name, metric in SLICED.items():
        rows = read_jsonl(out / f"{name}.jsonl")
        mean = found.tasks[name]["token_f1" if name == "questions" else "accuracy"]
        assert mean.n == len(rows) > 0
        assert mean.value == pytest.approx(sum(row[metric] for row in rows) / len(rows), abs=1e-6)
    assert found.tasks["questions"]["bleu"].n == 12
    assert found.corpus_bleu is not None
    assert 0 <= found.corpus_bleu <= 1


def test_every_dimension_is_there(observed: tuple[Path, Assessment]) -> None:
    _, found = observed
    assert set(found.calibration) == {"domain_cloze", "general_cloze", "terminology", "multiple_choice_letters"}
    assert found.robustness.keys() == BASES.keys()
    assert found.slices["terminology"].keys() >= {"difficulty"}
    assert set(found.gaps) == {"domain_cloze", "questions"}
    assert found.toxicity is not None
    assert found.toxicity.generated.n == 12
    assert found.tasks["domain_text"]["byte_perplexity"].value == pytest.approx(
        2 ** found.tasks["domain_text"]["bits_per_byte"].value, rel=1e-5
    )


def test_the_assessment_survives_its_report(observed: tuple[Path, Assessment]) -> None:
    _, found = observed
    assert TypeAdapter(Assessment).validate_json(json.dumps(asdict(found))) == found


def test_equal_runs_give_equal_bytes(
    model: Any,
    tokenizer: Any,
    material: Material,
    score_params: ScoreParams,
    observed: tuple[Path, Assessment],
    tmp_path: Path,
) -> None:
    score(model, tokenizer, material.evaluation, score_params, tmp_path, seed=1)
    assert assess(model, tokenizer, material, score_params, tmp_path, seed=1) == observed[1]
    for path in sorted(observed[0].iterdir()):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_what_is_switched_off_is_not_there(
    model: Any, tokenizer: Any, material: Material, score_params: ScoreParams, tmp_path: Path
) -> None:
    assert score_params.observe is not None
    off: dict[str, Any] = {
        "examples": 0,
        "answers": 0,
        "robustness_items": 0,
        "groups": None,
        "toxicity": [],
        "memorisation_texts": 0,
    }
    params = score_params.model_copy(
        update={"observe": ObserveParams(**(score_params.observe.model_dump() | off | {"tasks": ["own_pairs"]}))}
    )
    score(model, tokenizer, material.evaluation, params, tmp_path, seed=1)
    found = assess(model, tokenizer, material, params, tmp_path, seed=1)
    assert found is not None
    assert list(found.tasks) == ["domain_text", "general_text", "own_pairs"]
    assert not found.robustness
    assert not found.gaps
    assert not found.slices
    assert found.toxicity is None
    assert found.memorisation is None
    assert found.corpus_bleu is None
    # An lm-eval task by name, through lm-eval's own adapter.
    rows = read_jsonl(tmp_path / "own_pairs.jsonl")
    assert [row["id"] for row in rows] == ["own_pairs:0", "own_pairs:1"]
    assert found.tasks["own_pairs"]["acc"].value == sum(row["acc"] for row in rows) / 2


def test_nothing_is_observed_where_nothing_is_asked(
    model: Any, tokenizer: Any, material: Material, score_params: ScoreParams, tmp_path: Path
) -> None:
    params = score_params.model_copy(update={"observe": None})
    assert assess(model, tokenizer, material, params, tmp_path, seed=1) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "fault"), [("no_such_task", "neither of lm-eval nor in"), ("own_pairs_lost", "is not at hand")]
)
def test_a_task_that_cannot_be_run_is_named(
    model: Any, tokenizer: Any, own_tasks: Path, score_params: ScoreParams, name: str, fault: str
) -> None:
    from acclimate.model.scoring.public_tasks import run_public

    with pytest.raises(UserError, match=fault):
        run_public(model, tokenizer, [name], own_tasks, batch_items=2, max_items=None)
