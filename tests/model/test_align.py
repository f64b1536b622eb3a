"""Preference tuning moves what it is meant to move, on prompts it has not seen, and nothing else."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from acclimate.core.errors import UserError
from acclimate.core.files import read_jsonl, write_jsonl
from acclimate.core.params import (
    AlignParams,
    CommonParams,
    ComposeParams,
    StepsParams,
    TrainDomainParams,
    TrainingParams,
    TrainTaskParams,
)
from acclimate.data.contamination.preferences import common_beginning
from acclimate.data.seeded import chance
from acclimate.model import align, compose
from acclimate.model.adapter import attach, load_adapted, load_tokenizer
from acclimate.model.align import AlignReport, Preferred, preferred
from acclimate.model.training.report import Trained

HARMLESS = Path(__file__).parents[3] / "shared/data/preference/hh_rlhf_harmless/test.jsonl.gz"
COMPOSE = ComposeParams(combination="cat", domain_weight=1.0, task_weight=1.0, density=0.5)
NOUNS = ("size", "name", "mode", "owner", "root", "sum", "mean", "axis")
OFF = {"off": "switched off by a test"}
"""What a stage that is off leaves; train_task is, in these tests."""
KILLED = """
import json, os, signal, sys
from pathlib import Path

import peft, torch, transformers, trl.trainer.dpo_trainer
from torch.optim.optimizer import register_optimizer_step_post_hook

from acclimate.core.params import AlignParams, CommonParams, ComposeParams, TrainingParams, TrainTaskParams
from acclimate.model import align

given, base, domain, off, pairs, root = json.loads(sys.argv[1]), *map(Path, sys.argv[2:])
kinds = (AlignParams, ComposeParams, TrainTaskParams, TrainingParams, CommonParams)
sections = [kind(**dials) for kind, dials in zip(kinds, given)]

def attempt(name, step=None):
    out = root / name
    out.mkdir(exist_ok=True)
    child = os.fork()
    if child == 0:
        taken = []
        def die(*_):
            taken.append(1)
            if len(taken) == step:
                os.kill(os.getpid(), signal.SIGKILL)
        register_optimizer_step_post_hook(die)
        inputs = {"base": base, "domain": domain, "task": off, "pairs": pairs}
        report = align.run(*sections, **inputs, out=out, checkpoints=root / f"{name}-checkpoints")
        print(report.held_out.margin, flush=True)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    adapter = out / "adapter_model.safetensors"
    return status, adapter.read_bytes().hex() if adapter.exists() else None

print(json.dumps([attempt("whole"), attempt("killed", 5), attempt("killed")]))
"""
Align = Callable[..., AlignReport]


@pytest.fixture(scope="module")
def align_params(domain_params: TrainDomainParams) -> AlignParams:
    steps = {name: getattr(domain_params, name) for name in StepsParams.model_fields}
    own = {"beta": 0.1, "held_out_share": 0.3, "sequence_tokens": 128, "batch_sequences": 8, "steps": 12}
    return AlignParams.model_validate({**steps, **own})


@pytest.fixture(scope="module")
def off(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("off")
    (folder / "off.json").write_text(json.dumps(OFF))
    return folder


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty-four prompts whose better answer is always of one kind, the worse of another."""
    prompts = [
        f"What does os.path.{verb}{noun} give for a file?" for verb in ("get", "set", "cut", "map") for noun in NOUNS
    ]
    prompts += [prompt.replace("os.path", "numpy") for prompt in prompts]
    rows = [row(prompt, "Return it as a string.", "Files of an array.") for prompt in prompts]
    path = tmp_path_factory.mktemp("preference") / "pairs.jsonl"
    write_jsonl(path, rows)
    return path


def row(prompt: str, chosen: str, rejected: str, *, dialogue: bool = False) -> dict[str, Any]:
    return {"id": prompt, "prompt": prompt, "dialogue": dialogue, "chosen": chosen, "rejected": rejected}


@pytest.fixture(scope="module")
def given(tiny_base: Path, tiny_adapter: Path, off: Path, pairs: Path) -> dict[str, Path]:
    return {"base": tiny_base, "domain": tiny_adapter, "task": off, "pairs": pairs}


@pytest.fixture
def run(
    align_params: AlignParams,
    task_params: TrainTaskParams,
    training_params: TrainingParams,
    common: CommonParams,
    given: dict[str, Path],
    tmp_path: Path,
) -> Align:
    """run(pairs=…, training={…}, **dials): the report of the stage upon the domain adapter."""

    def tune(*, pairs: Path = given["pairs"], training: dict[str, Any] | None = None, **dials: Any) -> AlignReport:
        inputs = {**given, "pairs": pairs}
        return align.run(
            align_params.model_copy(update=dials),
            COMPOSE,
            task_params,
            training_params.model_copy(update=training or {}),
            common,
            **inputs,
            out=tmp_path,
            checkpoints=tmp_path / "checkpoints",
        )

    return tune


@pytest.fixture(scope="module")
def tuned(
    tmp_path_factory: pytest.TempPathFactory,
    align_params: AlignParams,
    task_params: TrainTaskParams,
    training_params: TrainingParams,
    common: CommonParams,
    given: dict[str, Path],
) -> tuple[AlignReport, Path]:
    """The report of one run, and the folder of its adapter."""
    out = tmp_path_factory.mktemp("align")
    none = out / "checkpoints"  # none is due in so few steps
    report = align.run(align_params, COMPOSE, task_params, training_params, common, **given, out=out, checkpoints=none)
    return report, out


def done(report: AlignReport) -> tuple[Trained, Preferred]:
    assert report.trained is not None
    assert report.held_out is not None
    return report.trained, report.held_out


def test_the_chosen_answers_of_held_out_prompts_become_likelier(tuned: tuple[AlignReport, Path]) -> None:
    trained, found = done(tuned[0])
    assert found.margin_low > 0
    assert found.p_value < 0.01
    assert found.accuracy > 0.9
    assert trained.first_loss == pytest.approx(np.log(2), abs=1e-4), "before the first step nothing is preferred"
    assert trained.final_loss < trained.first_loss
    assert found.pairs + trained.texts == 64
    assert trained.start == "base with the adapters of train_domain"


def test_a_base_in_four_bits_is_tuned_too(run: Align) -> None:
    trained, found = done(run(training={"base_weights": "nf4"}))
    assert trained.base_weights == "nf4"
    assert found.margin_low > 0


def test_all_weights_are_tuned_too(run: Align) -> None:
    trained, found = done(run(training={"strategy": "full"}, learning_rate=0.002))
    assert (trained.strategy, trained.trainable_share) == ("full", 1.0)
    assert trained.first_loss == pytest.approx(np.log(2), abs=1e-4), "the reference is the model that it began as"
    assert found.margin_low > 0


def test_two_processes_tune_as_one_does(run: Align, tuned: tuple[AlignReport, Path]) -> None:
    trained, found = done(run(training={"processes": 2}))
    alone, expected = done(tuned[0])
    assert (trained.processes, trained.rows_at_once, alone.rows_at_once) == (2, 4, 8)
    assert [loss for _, loss in trained.loss_curve] == pytest.approx([loss for _, loss in alone.loss_curve], rel=1e-3)
    assert found.margin == pytest.approx(expected.margin, rel=0.02)


def test_labels_that_mean_nothing_move_nothing(run: Align, pairs: Path, tmp_path: Path) -> None:
    tossed = [
        {**one, "chosen": one["rejected"], "rejected": one["chosen"]} if place % 2 else one
        for place, one in enumerate(read_jsonl(pairs))
    ]
    write_jsonl(tmp_path / "tossed.jsonl", tossed)
    _, found = done(run(pairs=tmp_path / "tossed.jsonl"))
    assert found.p_value > 0.01


def test_the_margins_are_those_of_the_adapter_beside_the_model_it_was_trained_in(
    tuned: tuple[AlignReport, Path], tiny_base: Path, tiny_adapter: Path, pairs: Path, common: CommonParams
) -> None:
    """Worked out anew, from the files: log-probabilities of the answers with the adapter, and without it."""
    _, found = done(tuned[0])
    model = attach(load_adapted(tiny_base, tiny_adapter), tuned[1])
    tokenizer = load_tokenizer(tiny_base)

    def rewards(prompt: str, answer: str) -> float:
        before = [
            tokenizer.bos_token_id,
            *tokenizer(f"Question: {prompt}\nAnswer:", add_special_tokens=False)["input_ids"],
        ]
        after = [*tokenizer(f" {answer}", add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
        ids = torch.tensor([[*before, *after]])

        def likelihood() -> float:
            with torch.inference_mode():
                logits = model(input_ids=ids).logits[0, len(before) - 1 : -1].log_softmax(dim=-1)
            return float(logits.gather(1, ids[0, len(before) :, None]).sum())

        tuned = likelihood()
        with model.disable_adapter():
            return 0.1 * (tuned - likelihood())

    held_out = [one for one in read_jsonl(pairs) if chance(common.seed, f"align {one['prompt']}") < 0.3]
    margins = [rewards(one["prompt"], one["chosen"]) - rewards(one["prompt"], one["rejected"]) for one in held_out]
    assert len(margins) == found.pairs
    assert found.margin == pytest.approx(np.mean(margins), abs=1e-4)


def test_the_adapter_flows_into_the_composed_one_exactly(
    tuned: tuple[AlignReport, Path],
    task_params: TrainTaskParams,
    common: CommonParams,
    given: dict[str, Path],
    dataset: Path,
    tmp_path: Path,
) -> None:
    base, domain = given["base"], given["domain"]
    inputs = {"base": base, "domain": domain, "task": given["task"], "align": tuned[1], "dataset": dataset}
    report = compose.run(COMPOSE, task_params, common, **inputs, out=tmp_path)
    assert [part.stage for part in report.parts] == ["train_domain", "align"]
    assert (report.combination, report.rank, report.kept_share) == ("alone, then aligned", 8, 1)
    ids = torch.arange(3, 27).reshape(2, 12)
    with torch.inference_mode():
        merged = load_adapted(base, tmp_path)(input_ids=ids).logits
        beside = attach(load_adapted(base, domain), tuned[1]).eval()(input_ids=ids).logits
        without = load_adapted(base, domain)(input_ids=ids).logits
    torch.testing.assert_close(merged, beside, atol=1e-4, rtol=1e-4)
    assert (merged - without).abs().max() > 0.01


def test_fewer_pairs_at_once_take_the_same_steps(run: Align, tuned: tuple[AlignReport, Path]) -> None:
    whole, few = done(tuned[0])[0], done(run(training={"rows_at_once": 3}))[0]
    assert [loss for _, loss in few.loss_curve] == pytest.approx([loss for _, loss in whole.loss_curve], abs=1e-3)


def test_a_killed_run_ends_with_the_bytes_of_one_that_was_not(
    align_params: AlignParams,
    task_params: TrainTaskParams,
    training_params: TrainingParams,
    common: CommonParams,
    tiny_base: Path,
    tiny_adapter: Path,
    off: Path,
    pairs: Path,
    tmp_path: Path,
) -> None:
    often = training_params.model_copy(update={"checkpoint_steps": 2})
    given = json.dumps([section.model_dump() for section in (align_params, COMPOSE, task_params, often, common)])
    command = [sys.executable, "-c", KILLED, given, *map(str, (tiny_base, tiny_adapter, off, pairs, tmp_path))]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    (status, whole), (killed, nothing), (again, adapter) = json.loads(ended.stdout.splitlines()[-1])
    assert (status, killed, nothing, again) == (0, 9, None, 0)
    assert adapter == whole
    assert "going on after step 4\n" in ended.stdout
    first, second = (line for line in ended.stdout.splitlines() if line[0] in "-0123456789")
    assert first == second, "and finds the same margin"


def test_other_pairs_are_not_gone_on_with(
    run: Align, pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(training={"checkpoint_steps": 5})
    write_jsonl(tmp_path / "fewer.jsonl", read_jsonl(pairs)[:-9])
    run(pairs=tmp_path / "fewer.jsonl", training={"checkpoint_steps": 5})
    assert "was made with other data: from the beginning" in capsys.readouterr().out


def test_a_learning_rate_that_breaks_the_model_stops_with_the_dial(run: Align) -> None:
    with pytest.raises(UserError, match=r"became (nan|inf)|diverged") as fault:
        run(learning_rate=1e30)
    assert "align.learning_rate" in fault.value.fix


def test_dialogues_are_read_as_written_down_and_one_without_room_for_an_answer_is_left_out_and_counted(
    run: Align, pairs: Path, tmp_path: Path
) -> None:
    spoken = [
        {**one, "dialogue": True, "prompt": f"Human: {one['prompt']}\n\nAssistant:", "chosen": f" {one['chosen']}"}
        for one in read_jsonl(pairs)
    ]
    spoken += [row(f"Why {number}? " * 60, " So.", " No.", dialogue=True) for number in range(3)]
    write_jsonl(tmp_path / "spoken.jsonl", spoken)
    report = run(pairs=tmp_path / "spoken.jsonl")
    trained, found = done(report)
    assert (report.left_out, trained.texts + found.pairs) == (3, 64)
    assert found.margin_low > 0


def test_no_pairs_to_hold_out_is_refused(run: Align, pairs: Path, tmp_path: Path) -> None:
    write_jsonl(tmp_path / "one.jsonl", read_jsonl(pairs)[:1])
    with pytest.raises(UserError, match="1 certified pairs"):
        run(pairs=tmp_path / "one.jsonl")


def test_a_stage_that_is_off_says_so_and_needs_nothing(run: Align, tmp_path: Path) -> None:
    report = run(enabled=False, pairs=tmp_path / "not there")
    assert report.headline() == "off: align.enabled is false in params.yaml"
    assert [path.name for path in tmp_path.iterdir()] == ["off.json"]


def test_pairs_of_one_prompt_count_as_one_for_the_test() -> None:
    margins = np.array([1.0, 1.0, 1.0, 1.0])
    assert preferred(margins, ["a", "b", "c", "d"], seed=1).p_value == pytest.approx(1 / 16)
    assert preferred(margins, ["a", "a", "a", "a"], seed=1).p_value == pytest.approx(1 / 2)


@pytest.mark.skipif(not HARMLESS.is_file(), reason="the preference data beside the project is not there")
def test_real_preferences_are_learned_on_prompts_not_tuned_on(
    align_params: AlignParams,
    task_params: TrainTaskParams,
    training_params: TrainingParams,
    common: CommonParams,
    given: dict[str, Path],
    tmp_path: Path,
) -> None:
    """Short dialogues of Anthropic's hh-rlhf (Bai et al. 2022): which of two answers people found less harmful."""
    with gzip.open(HARMLESS, "rt", encoding="utf-8") as lines:
        spoken = [one for one in map(json.loads, lines) if len(one["chosen"]) + len(one["rejected"]) < 900]
    whole = [(common_beginning(one["chosen"], one["rejected"]), one) for one in spoken]
    rows = [
        row(prompt, one["chosen"][len(prompt) :], one["rejected"][len(prompt) :], dialogue=True)
        for prompt, one in whole
    ]
    write_jsonl(tmp_path / "harmless.jsonl", rows)
    dials = {"steps": 60, "sequence_tokens": 224, "batch_sequences": 8, "held_out_share": 0.4, "learning_rate": 0.003}
    _, found = done(
        align.run(
            align_params.model_copy(update=dials),
            COMPOSE,
            task_params,
            training_params.model_copy(update={"rank": 8, "alpha": 16}),
            common,
            **{**given, "pairs": tmp_path / "harmless.jsonl"},
            out=tmp_path,
            checkpoints=tmp_path / "checkpoints",
        )
    )
    assert found.margin > 0
    assert found.p_value < 0.01
    assert found.margin_low > 0
