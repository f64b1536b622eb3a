from __future__ import annotations

from typing import Any

from acclimate.release.forms.measuring import Speed
from acclimate.release.forms.table import Form
from acclimate.report import formats
from acclimate.report.blocks import Note, Table
from acclimate.report.forms import forms


def metric(value: float, low: float, high: float, n: int) -> dict[str, Any]:
    return {"candidate": value, "interval": [low, high], "n": n}


MERGED = Form("merged", 10_800_000, 10_800_000, {"domain_cloze": metric(0.45, 0, 0, 800)}, {}, None)
GGUF = Form(
    "gguf-q8_0", 3_000_000, 2_900_000, {"domain_cloze": metric(0.44, -0.02, 0.01, 200)}, {"Q8_0": 29, "F32": 9}, None
)
FAILED = Form("gguf-f16", None, None, {}, {}, "the architecture of wax")


def test_every_form_is_a_row_and_says_how_many_items_it_was_scored_on() -> None:
    table, note, *_ = forms([MERGED, GGUF], {"gguf-q8_0": Speed(41.26, 812.4)})
    assert isinstance(table, Table)
    assert [column.title for column in table.columns][3:] == [
        *("domain cloze", "general cloze", "items", "ms for one", "tokens/s")
    ]
    merged, gguf = table.rows
    # No difference from itself, and nobody has timed it.
    assert merged == ("merged", formats.size(10_800_000), formats.size(10_800_000), "0.450", None, "800", None, None)
    assert gguf[3:] == ("0.440 (\N{MINUS SIGN}0.020 … +0.010)", None, "200", "41.3", "812")
    assert isinstance(note, Note)
    assert "gguf-q8_0: 29 \N{MULTIPLICATION SIGN} Q8_0, 9 \N{MULTIPLICATION SIGN} F32" in note.text


def test_a_form_that_failed_is_there_with_its_reason() -> None:
    table, _, warning = forms([FAILED], {})
    assert isinstance(table, Table)
    assert table.rows[0][:2] == ("gguf-f16", None)
    assert warning == Note("gguf-f16: the architecture of wax", "warning")


def test_a_report_from_before_there_was_a_table_shows_none() -> None:
    assert forms([], {}) == []
