from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import yaml

from acclimate.report.freshness import states
from acclimate.report.material import Material


def _checkout(root: Path, *, rank: int = 16, read: str = "m1") -> dict[str, Any]:
    """base and train_domain as DVC would have left them; `read` is the base that train_domain read."""
    (root / "reports").mkdir(exist_ok=True)
    stages: dict[str, Any] = {}
    for name, dep in {"base": "artifacts/decontaminate/general.parquet", "train_domain": "artifacts/base"}.items():
        report = root / "reports" / f"{name}.json"
        report.write_text(f'{{"stage": "{name}"}}')
        digest = hashlib.md5(report.read_bytes(), usedforsecurity=False).hexdigest()
        stages[name] = {
            "deps": [{"path": dep, "md5": read}],
            "params": {"params.yaml": {name: {"rank": 16}}},
            "outs": [{"path": f"artifacts/{name}", "md5": "m1"}, {"path": f"reports/{name}.json", "md5": digest}],
        }
    (root / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}))
    (root / "params.yaml").write_text(yaml.safe_dump({"base": {"rank": 16}, "train_domain": {"rank": rank}}))
    return stages


def test_a_stage_whose_inputs_dials_and_report_agree_is_as_recorded(tmp_path: Path) -> None:
    _checkout(tmp_path)
    assert states(Material(tmp_path)) == {"base": "", "train_domain": ""}


def test_a_changed_dial_makes_the_stage_outdated(tmp_path: Path) -> None:
    _checkout(tmp_path, rank=8)
    assert states(Material(tmp_path)) == {"base": "", "train_domain": "dials changed since: train_domain"}


def test_a_stage_that_read_an_earlier_version_is_outdated(tmp_path: Path) -> None:
    _checkout(tmp_path, read="m0")
    assert states(Material(tmp_path))["train_domain"] == "made from an earlier artifacts/base"


def test_a_report_that_dvc_did_not_record_makes_what_follows_outdated(tmp_path: Path) -> None:
    _checkout(tmp_path)
    (tmp_path / "reports/base.json").write_text("{}")
    assert states(Material(tmp_path)) == {
        "base": "its report is not the one in dvc.lock",
        "train_domain": "base is outdated",
    }


def test_a_stage_run_by_hand_is_not_in_the_lock(tmp_path: Path) -> None:
    _checkout(tmp_path)
    (tmp_path / "dvc.lock").unlink()
    assert states(Material(tmp_path)) == {"base": "not in dvc.lock", "train_domain": "not in dvc.lock"}
