from __future__ import annotations

from pathlib import Path

import pytest

from acclimate.core.errors import UserError
from acclimate.core.params import BaselineParams, CommonParams, OtherBaseParams, SanityParams, ScoreParams
from acclimate.core.reports import write_report
from acclimate.model import baseline
from acclimate.model.adapter import load_base, load_tokenizer
from acclimate.model.choosing.dimensions import WEIGHTS

PARAMS = ScoreParams(batch_items=4, max_items=None)
ALONE = BaselineParams(candidates=[], sanity=None)

Asked = dict[str, Path]


@pytest.fixture
def asked(evaluation: Path, examples: Path, own_tasks: Path, behaviour: Path) -> Asked:
    return {"evaluation": evaluation, "examples": examples, "tasks": own_tasks, "behaviour": behaviour}


@pytest.fixture
def forgetful(tiny_base: Path, tmp_path: Path) -> Path:
    """The base with its weights drawn anew: it knows nothing."""
    import torch

    model, folder = load_base(tiny_base), tmp_path / "forgetful"
    torch.manual_seed(3)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    model.save_pretrained(folder)
    load_tokenizer(tiny_base).save_pretrained(folder)
    return folder


def test_the_baseline_is_reported_and_repeats_itself(
    tiny_base: Path, asked: Asked, common: CommonParams, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        report = baseline.run(ALONE, PARAMS, common, base=tiny_base, **asked, out=tmp_path / name)
        write_report(tmp_path / f"{name}.json", "baseline", report)
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert list(report.tasks) == ["domain_cloze", "general_cloze", "domain_text", "general_text"]
    assert report.tasks["domain_cloze"]["n"] == 6
    assert report.headline().count("(n=6)") == 2
    assert report.observed is None
    assert report.choice is not None
    assert report.choice.left_out == ["domain_reasoning", "domain_terminology", "response_appropriateness"]
    assert report.choice.recommendation.choice == "base"


def test_bases_are_asked_the_same_and_set_side_by_side(
    tiny_base: Path, forgetful: Path, asked: Asked, score_params: ScoreParams, common: CommonParams, tmp_path: Path
) -> None:
    candidates = [OtherBaseParams(name="forgetful", folder=str(forgetful))]
    sanity = SanityParams(task="own_pairs", metric="acc", published=0.5, tolerance=0.5)
    params = BaselineParams(candidates=candidates, sanity=sanity)
    report = baseline.run(params, score_params, common, base=tiny_base, **asked, out=tmp_path / "out")
    assert report.choice is not None
    own, other = report.choice.models
    assert (own.name, other.name) == ("base", "forgetful")
    assert list(own.dimensions) == list(other.dimensions) == list(WEIGHTS)
    assert own.parameters == other.parameters
    assert own.composite.value == pytest.approx(
        sum(WEIGHTS[name] * of.mean.value for name, of in own.dimensions.items()), abs=1e-5
    )
    assert [*report.choice.recommendation.advantages] == ["forgetful"]
    assert (tmp_path / "out/candidates/forgetful/domain_cloze.jsonl").exists()
    assert report.sanity is not None
    assert report.sanity.verdict == "as published"
    assert "recommended of 2 bases" in report.headline()


def test_a_public_task_without_data_is_said_not_to_have_run(
    tiny_base: Path, asked: Asked, common: CommonParams, tmp_path: Path
) -> None:
    sanity = SanityParams(task="own_pairs_lost", metric="acc", published=0.5, tolerance=0.1)
    params = BaselineParams(candidates=[], sanity=sanity)
    report = baseline.run(params, PARAMS, common, base=tiny_base, **asked, out=tmp_path / "out")
    assert report.sanity is not None
    assert report.sanity.verdict == "not run"
    assert "its data is not at hand" in report.sanity.said


def test_a_folder_without_a_model_is_refused(asked: Asked, common: CommonParams, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no model"):
        baseline.run(ALONE, PARAMS, common, base=tmp_path, **asked, out=tmp_path / "out")
