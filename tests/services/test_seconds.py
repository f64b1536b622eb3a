"""Every second of the wall clock is accounted for once."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from acclimate.services.follow import FinishedTask
from acclimate.services.seconds import run_seconds


@pytest.fixture
def finished(tmp_path: Path) -> list[FinishedTask]:
    (tmp_path / "timings").mkdir()
    for name, begun in (("train_domain", 200.0), ("mix", 50.0)):
        path = tmp_path / f"timings/{name}.json"
        path.write_text(json.dumps({"start_up_s": 5.0, "work_s": 30.0}), encoding="utf-8")
        os.utime(path, (begun, begun))
    return [
        FinishedTask("adapt_model", "register", "skipped", 0.0, 0.0),
        FinishedTask("adapt_model", "train_domain", "success", 40.0, 150.0),
        FinishedTask("adapt_data", "mix", "success", 1.0, 100.0),
    ]


def test_a_task_is_split_by_its_own_timing_and_a_cached_one_is_all_orchestration(
    tmp_path: Path, finished: list[FinishedTask]
) -> None:
    mix, train = run_seconds(finished, tmp_path, wall=60.0, services=10.0).tasks
    assert (train.start_up, train.work, train.orchestration) == (5.0, 30.0, 5.0)
    assert (mix.start_up, mix.work, mix.orchestration) == (0.0, 0.0, 1.0), "its timing is of an earlier run"


def test_the_rows_add_up_to_the_wall_clock(tmp_path: Path, finished: list[FinishedTask]) -> None:
    seconds = run_seconds(finished, tmp_path, wall=60.0, services=10.0)
    assert seconds.orchestration == 25.0
    table = seconds.table()
    assert "register" not in table
    assert "orchestration is 42% of the whole" in table
    between = next(line for line in table.splitlines() if line.startswith("between"))
    assert between.split()[-1] == "9.0", "60 − 35 of the train process − 10 services − 6 of the tasks"
