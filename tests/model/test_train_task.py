from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from acclimate.core.errors import UserError
from acclimate.core.params import CommonParams, TrainingParams, TrainTaskParams
from acclimate.model import train_task
from acclimate.model.training.report import TrainReport

Train = Callable[..., TrainReport]


@pytest.fixture
def train(
    task_params: TrainTaskParams,
    training_params: TrainingParams,
    common: CommonParams,
    tiny_base: Path,
    tiny_adapter: Path,
    dataset: Path,
    tmp_path: Path,
) -> Train:
    """train(start_from=…, dataset=…, domain=…, out=…): the report of the stage, with these dials changed."""

    def run(
        *, out: Path = tmp_path, domain: Path = tiny_adapter, dataset: Path = dataset, **dials: object
    ) -> TrainReport:
        return train_task.run(
            task_params.model_copy(update=dials),
            training_params,
            common,
            base=tiny_base,
            domain=domain,
            dataset=dataset,
            out=out,
            checkpoints=tmp_path / "checkpoints",
        )

    return run


def test_training_on_answers_lowers_their_loss(train: Train) -> None:
    done = train(steps=30).trained
    assert done is not None
    assert done.final_loss < done.first_loss - 0.3
    assert 0 < done.learned_tokens < done.trained_tokens / 2, "questions are read, answers and replay are learned"


def test_the_start_is_the_domain_adapter_or_the_bare_base(train: Train, tmp_path: Path) -> None:
    merged = train(out=tmp_path / "merged").trained
    bare = train(start_from="base", domain=tmp_path / "not there", out=tmp_path / "bare").trained
    assert merged is not None
    assert bare is not None
    assert (merged.start, bare.start) == ("base with the domain adapter", "base")
    assert merged.first_loss != bare.first_loss, "another model answers the first questions"


def test_without_replay_only_pairs_are_read(train: Train, dataset: Path) -> None:
    rows = [json.loads(line) for line in dataset.read_text(encoding="utf-8").splitlines()]
    done = train(replay_share=0.0).trained
    assert done is not None
    assert done.texts == sum(row["kind"] == "domain_questions" for row in rows)


def test_a_template_whose_tokens_the_base_lacks_is_refused_by_name(train: Train) -> None:
    with pytest.raises(UserError, match=r"chatml, and the base's tokenizer has no <\|im_start\|>, <\|im_end\|>"):
        train(template="chatml")


def test_a_domain_of_texts_alone_has_no_task_to_train_for(train: Train, tmp_path: Path) -> None:
    raw = tmp_path / "train.jsonl"
    raw.write_text('{"id": "1", "kind": "domain_documents", "text": "numpy"}\n', encoding="utf-8")
    report = train(dataset=raw)
    assert report.trained is None
    assert "holds no domain_questions" in report.headline()
    assert (tmp_path / "off.json").is_file()


def test_a_mix_without_replay_is_trained_on_without_replay(train: Train, dataset: Path, tmp_path: Path) -> None:
    pairs = tmp_path / "train.jsonl"
    rows = dataset.read_text(encoding="utf-8").splitlines(keepends=True)
    pairs.write_text("".join(row for row in rows if json.loads(row)["kind"] == "domain_questions"), encoding="utf-8")
    assert train(dataset=pairs, replay_share=0.1).trained is not None


def test_rows_too_short_for_any_answer_are_refused_with_the_dial(train: Train) -> None:
    with pytest.raises(UserError, match="in 6 of 6 steps no answer would be read") as fault:
        train(sequence_tokens=8, replay_share=0.0)
    assert "train_task.sequence_tokens" in fault.value.fix


def test_a_stage_that_is_off_says_so_and_needs_no_model(train: Train, tmp_path: Path) -> None:
    report = train(enabled=False, dataset=tmp_path / "not there")
    assert report.trained is None
    assert [path.name for path in tmp_path.iterdir()] == ["off.json"]
