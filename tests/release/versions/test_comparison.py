from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from acclimate.core.errors import UserError
from acclimate.release.register import register
from acclimate.release.registry import connect
from acclimate.release.versions.comparison import ComparisonReport, compare
from acclimate.release.versions.finding import find

MODEL = "acclimate-scientific-python"
Score = Callable[..., None]


def compared(old: Path, new: Path) -> ComparisonReport:
    versions = [str(register(checkout)["version"]) for checkout in (old, new)]
    client = connect()
    return compare(client, *(find(client, MODEL, version) for version in versions), resamples=500, seed=1)


def test_two_versions_are_set_against_each_other_item_by_item(
    gated_run: Path, another_run: Path, scored: Score
) -> None:
    scored(another_run, 420)
    report = compared(gated_run, another_run)
    domain = report.metrics["domain_cloze"]
    assert (domain["base"], domain["candidate"], domain["n"]) == (360 / 800, 420 / 800, 800)
    # 60 items are right in the new version alone, none in the old alone: the exact McNemar test.
    assert domain["p_value"] == pytest.approx(0.5**60, rel=0.01)
    assert 0 < domain["interval"][0] < domain["difference"] < domain["interval"][1]
    assert report.metrics["domain_brier"]["difference"] < 0
    assert report.metrics["domain_bits_per_byte"]["difference"] == 0
    assert report.dials == {"train_domain.learning_rate": ("0.008", "0.004")}
    assert report.old.dataset_sha256 == report.new.dataset_sha256
    assert report.old.adapter_sha256 != report.new.adapter_sha256
    assert report.headline().startswith(f"{MODEL} 1 → 2: domain_cloze +0.075 [")
    assert report.headline().endswith("1 dials differ, same training set")


def test_a_metric_of_other_items_is_not_compared_and_says_why(
    gated_run: Path, another_run: Path, scored: Score
) -> None:
    scored(another_run, 420, 700)
    report = compared(gated_run, another_run)
    assert list(report.metrics) == ["domain_bits_per_byte", "general_bits_per_byte"]
    assert report.not_compared["general_cloze"].startswith("scored on different items")


def test_a_version_without_item_results_cannot_be_compared(
    gated_run: Path, another_run: Path, home_folder: Path
) -> None:
    run_id = register(another_run)["run_id"]
    (evidence,) = (home_folder / ".acclimate/mlflow/artifacts").rglob(f"{run_id}/artifacts/evidence")
    shutil.rmtree(evidence)
    with pytest.raises(UserError, match=r"version 1 of .* has no evidence/rows/candidate"):
        compared(gated_run, another_run)
