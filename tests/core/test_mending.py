from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from acclimate.core.mending import mend


def lock(*stages: str) -> str:
    return str(yaml.safe_dump({"schema": "2.0", "stages": {stage: {"cmd": f"acclimate {stage}"} for stage in stages}}))


def test_a_checkout_that_never_ran_a_stage_needs_nothing(tmp_path: Path) -> None:
    assert mend(tmp_path) == []
    assert not (tmp_path / "dvc.lock").exists()


def test_whole_files_are_left_alone(tmp_path: Path) -> None:
    mend(tmp_path)
    (tmp_path / ".dvc/tmp/rwlock").write_text('{"read": {}}')
    (tmp_path / "dvc.lock").write_text(lock("ingest"))
    assert mend(tmp_path) == []
    assert (tmp_path / ".dvc/tmp/rwlock").read_text() == '{"read": {}}'
    assert (tmp_path / "dvc.lock").read_text() == lock("ingest")


@pytest.mark.parametrize("half", ["", '{"write": {"/a'])
def test_a_half_written_rwlock_goes(tmp_path: Path, half: str) -> None:
    mend(tmp_path)
    (tmp_path / ".dvc/tmp/rwlock").write_text(half)
    assert mend(tmp_path) == ["removed a half-written rwlock of a DVC that was killed"]
    assert not (tmp_path / ".dvc/tmp/rwlock").exists()


@pytest.mark.parametrize("half", ["", "schema: '2.0'\nstages:\n  ingest:\n    cmd: [", lock("ingest")])
def test_a_half_written_dvc_lock_becomes_what_it_was_before_the_stage(tmp_path: Path, half: str) -> None:
    (tmp_path / "dvc.lock").write_text(lock("ingest", "validate"))
    mend(tmp_path)
    (tmp_path / "dvc.lock").write_text(half)
    assert mend(tmp_path) == ["brought back dvc.lock, half-written by a DVC that was killed"]
    assert (tmp_path / "dvc.lock").read_text() == lock("ingest", "validate")


def test_a_half_written_dvc_lock_of_the_first_stage_goes(tmp_path: Path) -> None:
    (tmp_path / "dvc.lock").write_text("schema: '2.0'\nst")
    assert mend(tmp_path) == ["brought back dvc.lock, half-written by a DVC that was killed"]
    assert not (tmp_path / "dvc.lock").exists()
    assert mend(tmp_path) == []
