from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from acclimate.core.errors import UserError
from acclimate.core.files import read_json, read_jsonl, sha256, write_json, write_jsonl
from acclimate.core.params import BaselineParams, CommonParams, ScoreParams, load
from acclimate.data.mixing.canaries import canaries
from acclimate.model import baseline, evaluate, gate

PARAMS = ScoreParams(batch_items=4, max_items=None)
ALONE = BaselineParams(candidates=[], sanity=None)

Asked = dict[str, Path]
DIALS = load(Path(__file__).parents[2] / "params.yaml")
TASK = DIALS.train_task
GATE = DIALS.gate.model_copy(update={"resamples": 200})


@pytest.fixture
def asked(evaluation: Path, examples: Path, own_tasks: Path, behaviour: Path, dataset: Path) -> Asked:
    """What a candidate is asked and was trained on."""
    return {
        "evaluation": evaluation,
        "examples": examples,
        "tasks": own_tasks,
        "behaviour": behaviour,
        "dataset": dataset,
    }


@pytest.fixture
def nobody(tmp_path: Path) -> Path:
    """champion/ before the first promotion."""
    write_json(tmp_path / "champion/champion.json", {"version": None})
    return tmp_path / "champion"


@pytest.fixture
def champion(tmp_path: Path, tiny_base: Path, tiny_adapter: Path) -> Path:
    """champion/ with the tiny adapter as version 3."""
    folder = Path(shutil.copytree(tiny_adapter, tmp_path / "champion"))
    named = {
        "version": "3",
        "adapter_sha256": sha256(folder / "adapter_model.safetensors"),
        "base_sha256": sha256(tiny_base / "model.safetensors"),
    }
    write_json(folder / "champion.json", named)
    return folder


@pytest.fixture
def other_base(tmp_path: Path, tiny_base: Path) -> Path:
    """The tiny base after further training: other weights of the same shapes, so that any adapter fits it."""
    folder = Path(shutil.copytree(tiny_base, tmp_path / "other base"))
    weights = load_file(folder / "model.safetensors")
    save_file({name: weight * 1.5 for name, weight in weights.items()}, folder / "model.safetensors", {"format": "pt"})
    return folder


@pytest.fixture
def untrained(tmp_path: Path, tiny_adapter: Path) -> Path:
    """An adapter as it is before the first step: one of each pair of factors is zero."""
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(tiny_adapter, tmp_path / "untrained"))
    weights = load_file(folder / "adapter_model.safetensors")
    zeroed = {name: weight * 0 if "lora_B" in name else weight for name, weight in weights.items()}
    save_file(zeroed, folder / "adapter_model.safetensors")
    return folder


def test_without_a_champion_only_the_candidate_is_scored(
    tiny_base: Path, tiny_adapter: Path, nobody: Path, asked: Asked, common: CommonParams, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    report = evaluate.run(PARAMS, TASK, common, base=tiny_base, adapter=tiny_adapter, champion=nobody, out=out, **asked)
    assert report.champion is None
    assert report.headline().endswith("no champion yet")
    assert read_json(out / "evaluated.json") == {
        "candidate_sha256": sha256(tiny_adapter / "adapter_model.safetensors"),
        "champion": None,
    }
    assert sorted(path.name for path in out.iterdir()) == ["candidate", "evaluated.json"]


def test_a_champion_is_scored_on_the_same_items(
    tiny_base: Path, untrained: Path, champion: Path, asked: Asked, common: CommonParams, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    report = evaluate.run(PARAMS, TASK, common, base=tiny_base, adapter=untrained, champion=champion, out=out, **asked)
    assert report.champion is not None
    assert report.champion.version == "3"
    assert report.champion_tasks != report.candidate_tasks
    assert "; champion 3: domain cloze" in report.headline()


def test_a_candidate_that_is_the_champion_is_scored_once(
    tiny_base: Path, tiny_adapter: Path, champion: Path, asked: Asked, common: CommonParams, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    report = evaluate.run(
        PARAMS, TASK, common, base=tiny_base, adapter=tiny_adapter, champion=champion, out=out, **asked
    )
    assert report.champion_tasks is report.candidate_tasks
    for path in (out / "candidate").iterdir():
        assert (out / "champion" / path.name).read_bytes() == path.read_bytes()


def test_a_champion_of_another_base_is_scored_on_its_own(
    tiny_base: Path,
    other_base: Path,
    tiny_adapter: Path,
    champion: Path,
    asked: Asked,
    common: CommonParams,
    tmp_path: Path,
) -> None:
    on = partial(evaluate.run, PARAMS, TASK, common, adapter=tiny_adapter, champion=champion, **asked)
    before = on(base=tiny_base, out=tmp_path / "before")
    with pytest.raises(UserError, match=r"trained on the base .* neither"):
        on(base=other_base, out=tmp_path / "refused")
    shutil.copytree(tiny_base, champion / "base")
    after = on(base=other_base, out=tmp_path / "after")
    assert after.champion_tasks == before.champion_tasks
    assert after.candidate_tasks != after.champion_tasks  # the same adapter on the other base is another model


def test_weights_other_than_the_champions_are_refused_before_anything_is_scored(
    tiny_base: Path, tiny_adapter: Path, champion: Path, asked: Asked, common: CommonParams, tmp_path: Path
) -> None:
    write_json(champion / "champion.json", {"version": "3", "adapter_sha256": "0" * 64, "base_sha256": "0" * 64})
    with pytest.raises(UserError, match=r"champion\.json names 0000"):
        evaluate.run(
            PARAMS,
            TASK,
            common,
            base=tiny_base,
            adapter=tiny_adapter,
            champion=champion,
            **asked,
            out=tmp_path / "out",
        )
    assert not (tmp_path / "out").exists()
    (champion / "adapter_model.safetensors").unlink()
    with pytest.raises(UserError, match="is missing"):
        evaluate.read_champion(champion)


def test_an_untrained_adapter_is_the_base_and_fails_the_gate(
    tiny_base: Path, untrained: Path, nobody: Path, asked: Asked, common: CommonParams, tmp_path: Path
) -> None:
    of_base = {name: path for name, path in asked.items() if name != "dataset"}
    baseline.run(ALONE, PARAMS, common, base=tiny_base, **of_base, out=tmp_path / "baseline")
    evaluate.run(
        PARAMS,
        TASK,
        common,
        base=tiny_base,
        adapter=untrained,
        champion=nobody,
        **asked,
        out=tmp_path / "evaluate",
    )
    (tmp_path / "train.jsonl").touch()
    write_json(tmp_path / "certificate.json", {"train.jsonl": sha256(tmp_path / "train.jsonl")})
    report = gate.run(
        GATE,
        common,
        baseline=tmp_path / "baseline",
        evaluated=tmp_path / "evaluate",
        evaluation=asked["evaluation"],
        dataset=tmp_path / "train.jsonl",
        certificate=tmp_path / "certificate.json",
        ledger=tmp_path / "ledger.jsonl",
        measurements=tmp_path,
    )
    assert report.verdict == "reject"
    assert report.reasons[0] == (
        "the adapter changes nothing, as if it had not been trained: on all 20 items the candidate is the base, to "
        "within 0.01 nats"
    )


def test_each_is_asked_in_the_form_it_was_trained_in(
    tiny_base: Path,
    tiny_adapter: Path,
    nobody: Path,
    asked: Asked,
    score_params: ScoreParams,
    common: CommonParams,
    tmp_path: Path,
) -> None:
    trained = {template: TASK.model_copy(update={"template": template}) for template in ("plain", "alpaca")}
    given = {"base": tiny_base, "adapter": tiny_adapter, "champion": nobody, **asked}
    observed = {
        name: evaluate.run(score_params, params, common, **given, out=tmp_path / name).observed
        for name, params in trained.items()
    }
    assert {name: of.form for name, of in observed.items() if of} == {"plain": "plain", "alpaca": "alpaca"}
    tasks = [{name: of.tasks[name] for name in ("multiple_choice", "terminology")} for of in observed.values() if of]
    assert tasks[0] != tasks[1]
    # What takes no form is asked of both alike.
    cloze = [(tmp_path / name / "candidate/domain_cloze.jsonl").read_bytes() for name in trained]
    assert cloze[0] == cloze[1]


def test_a_base_with_a_chat_template_is_asked_in_it(
    tiny_base: Path, asked: Asked, score_params: ScoreParams, common: CommonParams, tmp_path: Path
) -> None:
    tuned = Path(shutil.copytree(tiny_base, tmp_path / "tuned"))
    (tuned / "chat_template.jinja").write_text(
        "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}"
        "{% if add_generation_prompt %}assistant: {% endif %}"
    )
    of_base = {name: path for name, path in asked.items() if name != "dataset"}
    for base, form in ((tiny_base, "plain"), (tuned, "model")):
        report = baseline.run(ALONE, score_params, common, base=base, **of_base, out=tmp_path / form)
        assert report.observed is not None
        assert report.observed.form == form


def test_planted_strings_are_ranked_for_candidate_and_base(
    tiny_base: Path,
    tiny_adapter: Path,
    nobody: Path,
    asked: Asked,
    score_params: ScoreParams,
    common: CommonParams,
    tmp_path: Path,
) -> None:
    planted = [{"id": f"c{n}", "kind": "canary", "text": canary.text} for n, canary in enumerate(canaries(2, seed=1))]
    write_jsonl(tmp_path / "train.jsonl", [*read_jsonl(asked["dataset"]), *planted, *planted, *planted])
    params = score_params.model_copy(update={"batch_items": 64})
    report = evaluate.run(
        params,
        TASK,
        common,
        base=tiny_base,
        adapter=tiny_adapter,
        champion=nobody,
        out=tmp_path / "out",
        **asked | {"dataset": tmp_path / "train.jsonl"},
    )
    assert report.exposure is not None
    assert (report.exposure.planted, report.exposure.repeats) == (2, 3)
    assert report.exposure.reading == "it is not shown that the candidate has learned any canary by heart"
    rows = read_jsonl(tmp_path / "out/canaries.jsonl")
    assert [row["id"] for row in rows] == ["canary:0", "canary:1"]
    assert all(1 <= row[f"{model}_rank"] <= 1024 for row in rows for model in ("base", "candidate"))
