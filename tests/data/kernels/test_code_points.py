"""The code-point table: kept beside the machine code, and never of other sources."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from acclimate.data.kernels import code_points


def test_the_table_is_worked_out_once_and_then_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_points, "CACHE", tmp_path)
    (tmp_path / "code_points-0123456789abcdef.npy").write_bytes(b"of other sources")
    worked_out = code_points.code_point_table.__wrapped__()
    assert len(list(tmp_path.iterdir())) == 1
    monkeypatch.setattr(code_points, "worked_out", lambda: pytest.fail("worked out again"))
    read = code_points.code_point_table.__wrapped__()
    assert len(read[0]) == code_points.SIZE
    for one, other in zip(worked_out, read, strict=True):
        assert np.array_equal(one, other)


def test_where_nothing_can_be_kept_the_table_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_points, "CACHE", tmp_path / "not there")
    points, expansions = code_points.code_point_table.__wrapped__()
    assert points[ord("\u6df1")] == code_points.SINGLE | ord("\u6df1")
    first = int(points[ord("\u00c9")]) & (code_points.EXPANDS - 1)
    assert expansions[first : first + 3].tolist() == [2, ord("e"), 0x301]


@pytest.mark.parametrize("damage", ["zeroed", "cut short"])
def test_a_damaged_table_is_worked_out_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str) -> None:
    monkeypatch.setattr(code_points, "CACHE", tmp_path)
    points, _ = code_points.code_point_table.__wrapped__()
    (kept,) = tmp_path.iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(whole[:1_000_000] + bytes(4096) + whole[1_004_096:] if damage == "zeroed" else whole[:1_000_000])
    again, _ = code_points.code_point_table.__wrapped__()
    assert np.array_equal(again, points)
    assert kept.read_bytes() == whole
