from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from acclimate.core.files import write_json
from acclimate.core.reports import report_path
from acclimate.report.material import Material
from acclimate.report.page import compose
from acclimate.report.rendering import render
from acclimate.serving.canary.betting import Tally
from acclimate.serving.canary.decision import METRICS, Rules, decide
from acclimate.serving.canary.record import Canary

RULES = Rules(
    shares=(0.05, 0.5),
    alpha=0.05,
    bounds=dict.fromkeys(METRICS, 0.1),
    slow_quantile=0.95,
    baseline_requests=5,
    min_requests=5,
    answers_per_user=1,
)
WELL, BADLY = Tally(200, 2, 3800, 40), Tally(20, 19, 380, 4)


def page(root: Path, *ends: dict[str, Tally]) -> str:
    now = "2026-11-21T09:30:00.000+00:00"
    of: dict[str, Any] = {
        "key": "v4-00ff",
        "model": "acclimate-law",
        "champion": "3",
        "challenger": "4",
        "salt": "00ff",
    }
    tried = Canary(**of, rules=RULES, began=now, step_began=now).begun(0.84)
    for number, tallies in enumerate(ends, start=1):
        decision = decide(tallies, share=tried.share, rules=RULES)
        tried = tried.decided(decision, requests=4000 * number, deciding_request="5f0c")
    told: dict[str, Any] = {"headline": tried.headline(), "requests": tried.requests, "present": []}
    write_json(report_path("canary", root), told | tried.model_dump(mode="json", exclude={"salt"}))
    return render(compose(Material(root)))


@pytest.mark.parametrize("write", [lambda _: None, lambda root: write_json(report_path("canary", root), {"key": None})])
def test_without_a_canary_there_is_no_section_of_it(tmp_path: Path, write: Callable[[Path], None]) -> None:
    write(tmp_path)
    assert 'id="canary"' not in render(compose(Material(tmp_path)))


def test_one_that_passed_shows_how_much_worse_it_can_be_at_most(tmp_path: Path) -> None:
    well = dict.fromkeys(METRICS, WELL)
    html = page(tmp_path, well, well)
    assert html.index('id="release"') < html.index('id="canary"') < html.index('id="lineage"')
    assert "canary of acclimate-law 4 against 3: passed at 100%" in html
    assert "2 of 200" in html
    assert "40 of 3,800" in html
    assert "8,000" in html


def test_one_that_did_harm_says_by_what_it_was_decided(tmp_path: Path) -> None:
    html = page(tmp_path, dict.fromkeys(METRICS, WELL) | {"slow": BADLY})
    assert "rolled back at 0%. slow: 95.0% of 20 answers of the challenger against 1.1% of 380 of the champion" in html
    assert "roll back" in html
