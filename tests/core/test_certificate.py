"""A certificate: what it names and what it does not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from acclimate.core.certificate import certificate_of, certify, require_certified
from acclimate.core.errors import UserError
from acclimate.pipeline import STAGES, run_stage


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


@pytest.mark.parametrize("stage", ["mix", "base", "train_domain", "train_task"])
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
