"""diff: records by id, text by content, and how far the distributions are apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.core.errors import UserError
from acclimate.core.files import write_parquet
from acclimate.dataset.diff import DiffReport, compare, divergence
from acclimate.dataset.diff_page import page
from acclimate.report.rendering import render

SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("id", "kind", "source", "licence", "language", "difficulty", "content")),
        ("quality", pa.float64()),
        ("bytes", pa.int64()),
    ]
)


def checkout(folder: Path, *rows: dict[str, Any]) -> Path:
    same = {"kind": "k", "source": "s", "licence": None, "language": "en", "difficulty": "easy", "quality": None}
    whole = [{**same, "content": f"text {row['id']}", "bytes": 10, **row} for row in rows]
    (folder / "artifacts/mix").mkdir(parents=True)
    write_parquet(folder / "artifacts/mix/records.parquet", pa.Table.from_pylist(whole, schema=SCHEMA))
    return folder


def difference(tmp_path: Path, old: list[dict[str, Any]], new: list[dict[str, Any]]) -> DiffReport:
    return compare("a", "b", checkout(tmp_path / "a", *old), checkout(tmp_path / "b", *new))


def test_records_come_go_change_and_are_renamed(tmp_path: Path) -> None:
    old: list[dict[str, Any]] = [
        {"id": "stays"},
        {"id": "edited"},
        {"id": "gone", "bytes": 7},
        {"id": "before", "content": "same"},
    ]
    new = [{"id": "stays"}, {"id": "edited", "content": "other"}, {"id": "fresh"}, {"id": "after", "content": "same"}]
    report = difference(tmp_path, old, new)
    assert (report.came, report.went, report.changed, report.renamed) == (2, 2, 1, 1)
    assert (report.came_bytes, report.went_bytes) == (20, 17)
    assert report.examples == {"came": ["s fresh", "s after"], "went": ["s gone", "s before"], "changed": ["s edited"]}
    assert report.headline().startswith("a → b: 2 came, 2 went, 1 changed, 1 stayed; bytes KS ")


def test_a_set_is_no_different_from_itself(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"id": str(number), "bytes": number, "quality": number / 9} for number in range(10)]
    report = difference(tmp_path, rows, rows)
    assert (report.came, report.went, report.changed) == (0, 0, 0)
    assert {name: (of.ks, of.p_value) for name, of in report.measured.items()} == {"bytes": (0, 1), "quality": (0, 1)}
    assert {of.js for of in report.counted.values()} == {0}


def test_a_shift_in_length_is_found_and_a_missing_quality_is_not_tested(tmp_path: Path) -> None:
    old = [{"id": str(number), "bytes": 100 + number} for number in range(100)]
    new = [{"id": str(number), "bytes": 150 + number} for number in range(100)]
    report = difference(tmp_path, old, new)
    assert report.measured["bytes"].ks == pytest.approx(0.5)
    assert report.measured["bytes"].p_value < 1e-9
    assert report.measured["bytes"].old_quantiles[0] == 100
    assert list(report.measured) == ["bytes"]


def test_shares_of_sources_are_compared_with_those_that_only_one_has(tmp_path: Path) -> None:
    old = [{"id": "1", "source": "x"}, {"id": "2", "source": "x", "licence": "MIT"}]
    new = [{"id": "1", "source": "y"}, {"id": "2", "source": "y", "licence": "MIT"}]
    counted = difference(tmp_path, old, new).counted
    assert counted["source"].js == 1
    assert counted["source"].new_shares == {"x": 0, "y": 1}
    assert counted["licence"].old_shares == {"MIT": 0.5, "none": 0.5}


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=8))
def test_divergence_lies_between_none_and_one_bit_and_does_not_mind_the_order(counts: list[tuple[int, int]]) -> None:
    table = np.array(counts, dtype=float) + 1e-9
    p, q = table[:, 0] / table[:, 0].sum(), table[:, 1] / table[:, 1].sum()
    assert 0 <= divergence(p, q) <= 1 + 1e-9
    assert divergence(p, q) == pytest.approx(divergence(q, p))


def test_known_divergence() -> None:
    assert divergence(np.array([0.5, 0.5]), np.array([1.0, 0.0])) == pytest.approx(0.311278, abs=1e-6)


def test_a_set_without_records_cannot_be_compared(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"b has no artifacts/mix/records\.parquet"):
        compare("a", "b", checkout(tmp_path / "a", {"id": "1"}), tmp_path)


def test_the_page_is_the_same_for_the_same_versions_and_holds_no_markup_of_the_records(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    report = difference(tmp_path, [{"id": "1"}, {"id": "2", "source": evil}], [{"id": "1"}, {"id": "3"}])
    html = render(page(report))
    assert html == render(page(report))
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "<small>Records</small> different" in html
