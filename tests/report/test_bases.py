"""The section on the base shows what speaks for which base, and where each failed."""

from __future__ import annotations

import re
from pathlib import Path

from acclimate.core.files import write_jsonl
from acclimate.core.reports import report_path, write_report
from acclimate.model.baseline import BaselineReport
from acclimate.model.choosing.comparing import compared
from acclimate.model.choosing.sanity import Sanity
from acclimate.model.score import Summary
from acclimate.report.bases import bases
from acclimate.report.blocks import Page
from acclimate.report.material import Material
from acclimate.report.page import compose
from acclimate.report.rendering import render


def rows_of(folder: Path, right: int) -> Path:
    """40 cloze items of which the first `right` are answered right, and texts of which domain ones cost more."""
    cloze = [
        {"id": f"i{place}", "cluster": f"numpy.f{place}", "label": 0, "choice": int(place >= right)}
        | {"correct": place < right, "log_likelihoods": [-1.0, -2.0] if place < right else [-3.0, -1.0]}
        for place in range(40)
    ]
    write_jsonl(folder / "domain_cloze.jsonl", cloze)
    for task, nats in (("domain_text", 3.0), ("general_text", 2.0)):
        texts = [{"id": str(n), "cluster": str(n), "log_likelihood": -nats, "bytes": 1} for n in range(9)]
        write_jsonl(folder / f"{task}.jsonl", texts)
    return folder


def page(root: Path) -> str:
    outs = {"base": rows_of(root / "base", 10), "larger": rows_of(root / "larger", 35)}
    choice = compared(outs, {"base": 4_458_752, "larger": 9_000_000}, seed=1)
    sanity = Sanity("arc_easy", "acc", 0.395, 0.02, None, "not run", "arc_easy: its data is not at hand (offline)")
    write_report(report_path("baseline", root), "baseline", BaselineReport(_tasks(), None, choice, sanity))
    material = Material(root)
    page = Page(compose(material).header, (bases(material),))
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", render(page)))


def _tasks() -> dict[str, Summary]:
    counted = {"n": 40, "clusters": 40, "interval": [0.2, 3.0]}
    clozes = {f"{name}_cloze": {"accuracy": 0.25, **counted} for name in ("domain", "general")}
    return {**clozes, **{f"{name}_text": {"bits_per_byte": 2.5, **counted} for name in ("domain", "general")}}


def test_bases_stand_side_by_side_with_the_recommendation_and_its_reason(tmp_path: Path) -> None:
    text = page(tmp_path)
    assert "recommended larger" in text
    assert "4,458,752" in text
    assert "domain accuracy 70 % base 0.250" in text
    assert "much to gain: 33% of the bits of domain text" in text
    assert "No items for domain reasoning, domain terminology, response appropriateness" in text
    assert "took choice 2, right was 1, 2.0 nats less likely" in text
    assert "not run" in text
