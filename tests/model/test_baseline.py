from __future__ import annotations

from pathlib import Path

import pytest

from acclimate.core.errors import UserError
from acclimate.core.params import CommonParams, ScoreParams
from acclimate.core.reports import write_report
from acclimate.model import baseline

PARAMS = ScoreParams(batch_items=4, max_items=None)


def test_the_baseline_is_reported_and_repeats_itself(
    tiny_base: Path,
    evaluation: Path,
    examples: Path,
    own_tasks: Path,
    behaviour: Path,
    common: CommonParams,
    tmp_path: Path,
) -> None:
    asked = {"evaluation": evaluation, "examples": examples, "tasks": own_tasks, "behaviour": behaviour}
    for name in ("a", "b"):
        report = baseline.run(PARAMS, common, base=tiny_base, **asked, out=tmp_path / name)
        write_report(tmp_path / f"{name}.json", "baseline", report)
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert list(report.tasks) == ["domain_cloze", "general_cloze", "domain_text", "general_text"]
    assert report.tasks["domain_cloze"]["n"] == 6
    assert report.headline().count("(n=6)") == 2
    assert report.observed is None


def test_a_folder_without_a_model_is_refused(
    evaluation: Path, examples: Path, own_tasks: Path, behaviour: Path, common: CommonParams, tmp_path: Path
) -> None:
    asked = {"evaluation": evaluation, "examples": examples, "tasks": own_tasks, "behaviour": behaviour}
    with pytest.raises(UserError, match="holds no model"):
        baseline.run(PARAMS, common, base=tmp_path, **asked, out=tmp_path / "out")
