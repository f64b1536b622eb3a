from __future__ import annotations

from dataclasses import replace
from typing import Any

from acclimate.data.evaluation.agreement import Agreement
from acclimate.report.blocks import Mark, Note, Points, Table
from acclimate.report.quotas import quotas


def _tables(report: Any) -> dict[str, Table]:
    return {block.caption: block for block in quotas(report) if isinstance(block, Table)}


def test_a_kind_that_is_short_is_marked_and_what_is_missing_is_told(reports: dict[str, Any]) -> None:
    report = reports["evaluation_set"]
    rows = _tables(report)["Questions with reference answers: 200 of 200 wanted"].rows
    assert rows[0] == ("customer queries", "80", "0", "0", "3", Mark("short", "warning"))
    assert rows[1][-1] == Mark("met", "good")
    blocks = quotas(report)
    assert Note("40\N{NARROW NO-BREAK SPACE}% of the places have no example of their kind.", "warning") in blocks
    assert Points("Not as wanted:", ("customer_queries: 0 of 80; 3 wait for review, 80 to add",)) in blocks


def test_a_set_as_wanted_has_no_warning(reports: dict[str, Any]) -> None:
    met = quotas(replace(reports["evaluation_set"], notes=[], unmet_share=0.0))
    assert not [
        block for block in met if isinstance(block, Points) or (isinstance(block, Note) and block.tone != "neutral")
    ]


def test_agreement_is_shown_with_its_interval_once_people_have_judged(reports: dict[str, Any]) -> None:
    report = reports["evaluation_set"]
    caption = "Krippendorff's alpha: 1 is full agreement, 0 is chance"
    assert _tables(report)[caption].rows == (("verdict", "12", "3", "0.710", "0.550 … 0.840", None),)
    nobody = replace(report, agreement={"verdict": Agreement(0, 0, None, None, None, "too few")})
    assert caption not in _tables(nobody)


def test_the_state_of_the_review_is_one_sentence_after_the_other(reports: dict[str, Any]) -> None:
    notes = [block.text for block in quotas(reports["evaluation_set"]) if isinstance(block, Note)]
    assert notes[-1] == (
        "12 of 200 examples were reviewed by a person. All meet 13 Great Expectations. "
        "In the review queue: 3 kept out of the set until reviewed, 188 in the set unreviewed."
    )
