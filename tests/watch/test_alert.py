from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from acclimate.core.errors import UserError
from acclimate.core.files import read_jsonl, write_json
from acclimate.watch.alert import alert
from acclimate.watch.drift import DriftResult

DRIFT = DriftResult("drift", "3", 60, 0.41, 0.0005, ["bread", "flour"])


def note(folder: Path, result: DriftResult) -> None:
    write_json(folder / "drift.json", asdict(result))


def test_drift_is_told_once_with_its_numbers(tmp_path: Path) -> None:
    note(tmp_path, DRIFT)
    raised = alert(tmp_path)
    assert raised is not None
    assert "60 requests to version 3" in raised["message"]
    assert "bread, flour" in raised["message"]
    assert alert(tmp_path) is None
    assert len(read_jsonl(tmp_path / "alerts.jsonl")) == 1


def test_another_result_is_told_again(tmp_path: Path) -> None:
    note(tmp_path, DRIFT)
    alert(tmp_path)
    note(tmp_path, DriftResult("drift", "3", 90, 0.44, 0.0005, ["bread"]))
    assert alert(tmp_path) is not None
    assert [row["n"] for row in read_jsonl(tmp_path / "alerts.jsonl")] == [60, 90]


@pytest.mark.parametrize("status", ["quiet", "too_few", "no_champion"])
def test_anything_but_drift_is_not_told(tmp_path: Path, status: str) -> None:
    note(tmp_path, DriftResult(status, "3", 5, None, None, []))  # type: ignore[arg-type]  # one of the literals
    assert alert(tmp_path) is None
    assert not (tmp_path / "alerts.jsonl").exists()


def test_an_alert_before_any_measurement_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"drift\.json does not exist"):
        alert(tmp_path)
