"""A certificate: what it names and what it does not."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from acclimate.core.certificate import (
    CHECKED,
    certificate_of,
    certify,
    note_checked,
    origins,
    require_certified,
    require_checked,
)
from acclimate.core.errors import UserError
from acclimate.core.files import read_json
from acclimate.pipeline import STAGES
from acclimate.running import run_stage


def test_the_certified_content_passes_and_any_other_does_not(tmp_path: Path) -> None:
    path = tmp_path / "mix/train.jsonl"
    path.parent.mkdir()
    path.write_text("clean\n")
    certify(path.parent, [path.name])
    require_certified(path)
    path.write_text("clean\nand the answers\n")
    with pytest.raises(UserError, match="is not the file that was certified") as fault:
        require_certified(path)
    assert "dvc repro --force mix" in str(fault.value)


def test_a_file_beside_a_certificate_that_does_not_name_it_is_refused(tmp_path: Path) -> None:
    for name in ("domain.parquet", "other.parquet"):
        (tmp_path / name).write_text(name)
    certify(tmp_path, ["domain.parquet"])
    with pytest.raises(UserError, match="does not name it"):
        require_certified(tmp_path / "other.parquet")


def test_without_a_certificate_nothing_passes(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text("")
    assert not certificate_of(tmp_path / "train.jsonl").exists()
    with pytest.raises(UserError, match="has no certificate beside it"):
        require_certified(tmp_path / "train.jsonl")


@pytest.fixture
def trained(tmp_path: Path) -> dict[str, Any]:
    """A training set made of a clean text, and the items that text was checked against."""
    clean, dataset, items = (tmp_path / name for name in ("clean/domain.parquet", "mix/train.jsonl", "items"))
    for path in (clean, dataset, items / "cloze.jsonl"):
        path.parent.mkdir()
        path.write_text(path.name)
    certify(clean.parent, [clean.name])
    certify(dataset.parent, [dataset.name], origins([clean]))
    note_checked(
        clean.parent, [clean.name], against=items.glob("*"), benchmarks={"quiz": "0"}, params={"drop_words": 13}
    )
    checked = clean.with_name(CHECKED)
    return {"evaluation": items, "dataset": dataset, "checked": checked, "params": {"drop_words": 13}}


def test_a_model_may_be_judged_by_items_its_training_set_was_checked_against(trained: dict[str, Any]) -> None:
    require_checked(**trained)
    assert origins([trained["dataset"]]) == read_json(trained["checked"])["clean"]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("items/cloze.jsonl", "were not checked against .*cloze.jsonl as it is now"),
        ("items/new.jsonl", "were not checked against .*new.jsonl as it is now"),
    ],
)
def test_other_items_than_were_looked_for_are_refused(
    trained: dict[str, Any], tmp_path: Path, path: str, said: str
) -> None:
    (tmp_path / path).write_text("another item")
    with pytest.raises(UserError, match=said):
        require_checked(**trained)


def test_without_a_note_of_what_was_looked_for_nobody_is_judged(trained: dict[str, Any]) -> None:
    trained["checked"].unlink()
    with pytest.raises(UserError, match=r"checked_against\.json is not there"):
        require_checked(**trained)


def test_other_dials_and_a_training_set_of_other_texts_are_refused(trained: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"by other dials than params\.yaml has now: drop_words"):
        require_checked(**trained | {"params": {"drop_words": 20}})
    certify(tmp_path / "mix", ["train.jsonl"], {"domain.parquet": "of another run"})
    with pytest.raises(UserError, match=r"train\.jsonl was made of other texts than .*checked_against\.json is about"):
        require_checked(**trained)


@pytest.mark.parametrize("stage", ["mix", "base", "train_domain", "train_task", "align"])
def test_a_stage_that_trains_or_feeds_training_starts_only_on_certified_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    shutil.copyfile(Path(__file__).parents[2] / "params.yaml", tmp_path / "params.yaml")
    monkeypatch.chdir(tmp_path)
    for path in map(Path, STAGES[stage].inputs.values()):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("text that nobody has checked")
    with pytest.raises(UserError, match="has no certificate beside it"):
        run_stage(stage, started=0.0)
