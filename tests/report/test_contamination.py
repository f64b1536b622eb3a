"""The section on contamination: counts, hits beside their items, and nothing of a text that is not text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from acclimate.core.files import write_jsonl
from acclimate.core.reports import Funnel, report_path, write_report
from acclimate.data.contamination.finds import FLAGGED, PASSAGE, REPHRASED
from acclimate.data.contamination.meaning import RephrasedReport
from acclimate.data.decontaminate import DecontaminateReport, TaskOverlap
from acclimate.report.blocks import Comparisons, Header, Mark, Missing, Page, Section
from acclimate.report.contamination import SHOWN, contamination
from acclimate.report.material import Material
from acclimate.report.rendering import render

EVIL = "<script>alert('x')</script>"


def _hit(number: int, rule: str = PASSAGE, **changes: Any) -> dict[str, Any]:
    hit: dict[str, Any] = {
        "id": f"d{number}",
        "source": "shelf",
        "action": "dropped",
        "rule": rule,
        "task": "domain_cloze",
    }
    hit |= {"item": "i:1", "more": 2, "similarity": 1.0, "judge": None}
    return hit | {"text": [[EVIL, False], ["in common", True]], "evaluation": [["in common", True]], **changes}


@pytest.fixture
def checked(tmp_path: Path) -> Path:
    report = DecontaminateReport(
        funnel=Funnel(100, 80, {PASSAGE: 20}),
        domain=Funnel(60, 50, {PASSAGE: 10}),
        general=Funnel(40, 30, {PASSAGE: 10}),
        flagged=7,
        tasks={"domain_cloze": TaskOverlap(items=12, checked=11, found=3, dropped=20)},
        rephrased=RephrasedReport("tfidf", 0.6, 9, 4, 5, 8, 1, 0),
    )
    write_report(report_path("decontaminate", tmp_path), "decontaminate", report)
    hits = [_hit(number) for number in range(SHOWN + 3)]
    hits.append(_hit(99, REPHRASED, action="flagged", similarity=0.71))
    write_jsonl(tmp_path / "artifacts/decontaminate/hits.jsonl", hits)
    flagged = [_hit(number, FLAGGED, action="flagged") for number in range(2)]
    write_jsonl(tmp_path / "artifacts/decontaminate/flagged.jsonl", flagged)
    return tmp_path


def _html(section: Section) -> str:
    return render(Page(Header("t", "s", Mark("m"), "x", ()), (section,)))


def test_the_first_hits_of_each_rule_are_shown_and_the_rest_is_counted(checked: Path) -> None:
    passages, rephrased, flagged = (
        block for block in contamination(Material(checked)).blocks if isinstance(block, Comparisons)
    )
    assert len(passages.pairs) == SHOWN
    assert passages.title == f"{PASSAGE.capitalize()}, the first {SHOWN} of {SHOWN + 3}"
    assert passages.pairs[0].title == "dropped: shelf d0 beside domain cloze i:1, and 2 more items"
    assert rephrased.title == REPHRASED.capitalize()
    assert (flagged.title, len(flagged.pairs)) == (FLAGGED.capitalize(), 2)
    assert rephrased.pairs[0].title.endswith("similarity 0.71, and 2 more items")


def test_what_is_shared_is_highlighted_and_markup_in_a_text_stays_text(checked: Path) -> None:
    html = _html(contamination(Material(checked)))
    assert "<mark>in common</mark>" in html
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_before_the_stage_has_run_the_section_says_so(tmp_path: Path) -> None:
    (block,) = contamination(Material(tmp_path)).blocks
    assert isinstance(block, Missing)
