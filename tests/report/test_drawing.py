from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree as Xml

import pytest

from acclimate.report.drawing import BLUE, VARIABLES, Picture
from acclimate.report.plots import Estimate, differences, lines, scores, stacked_bars

CURVE = [(1, 8.3), (10, 5.0), (20, 3.1)]


def _bars(label: str = "too short") -> str:
    parts = {"passed on": (BLUE, "", [90.0, 60.0]), label: (BLUE, "///", [10.0, 30.0])}
    picture = Picture("bars", "Records", "Two stages")
    return stacked_bars(picture, ["clean", label], parts, ["100 → 90", "90 → 60"], "records")


DRAWINGS = {
    "bars": _bars(),
    "lines": lines(Picture("lines", "Loss", "Falls"), {"base": CURVE, "adapter": CURVE}, "nats per token"),
    "scores": scores(
        Picture("scores", "Scores", "One task"),
        {"domain cloze": {"base": Estimate(0.3, 0.27, 0.33)}},
        "share of items right",
    ),
    "differences": differences(
        Picture("diff", "Gain", "One row"), {"domain cloze": Estimate(0.1, 0.05, 0.15)}, "difference"
    ),
}


@pytest.mark.parametrize("svg", DRAWINGS.values(), ids=DRAWINGS)
def test_a_drawing_is_well_formed_and_named_for_screen_readers(svg: str) -> None:
    tree = Xml.fromstring(svg)  # noqa: S314 (drawn above)
    assert tree.get("role") == "img"
    ids = {element.get("id") for element in tree.iter()}
    assert set(str(tree.get("aria-labelledby")).split()) <= ids


@pytest.mark.parametrize("svg", DRAWINGS.values(), ids=DRAWINGS)
def test_a_drawing_takes_its_colours_from_the_page(svg: str) -> None:
    for colour in VARIABLES:
        assert colour not in svg
    assert "var(--ink)" in svg


def test_equal_data_give_equal_bytes_without_a_date() -> None:
    assert _bars() == DRAWINGS["bars"]
    assert "<metadata" not in DRAWINGS["bars"]
    assert not re.search(r"\d{4}-\d\d-\d\dT", DRAWINGS["bars"])


def test_ids_do_not_meet_when_all_drawings_stand_in_one_page() -> None:
    ids = re.findall(r' id="([^"]*)"', "".join(DRAWINGS.values()))
    assert len(ids) == len(set(ids))


def test_a_label_is_text_whatever_it_contains() -> None:
    svg = _bars("<script>$x^2$ & more")
    assert "<script>" not in svg
    assert "&lt;script&gt;$x^2$ &amp; more" in svg


def test_series_differ_without_their_colours() -> None:
    markers: dict[str, Any] = {
        model: scores(Picture("m", "t", "d"), {"task": {model: Estimate(0.5, 0.4, 0.6)}}, "x")
        for model in ("base", "candidate")
    }
    shapes = {model: re.findall(r'<path id="m[^"]*" d="([^"]*)"', svg) for model, svg in markers.items()}
    assert shapes["base"] != shapes["candidate"]
