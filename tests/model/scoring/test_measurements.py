"""What a candidate's answers cost is kept by candidate and machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from acclimate.core.files import read_json, write_json
from acclimate.model.scoring.efficiency import Efficiency
from acclimate.model.scoring.measurements import host, keep, kept

ONE, OTHER = "a" * 64, "b" * 64
COST = Efficiency("A CPU, 2 of 2 threads", 8, 410.2, 598.7, 950.0, 1200.0)


def test_each_candidate_has_its_own_and_the_last_one_holds(tmp_path: Path) -> None:
    keep(tmp_path, ONE, COST)
    assert (kept(tmp_path, ONE), kept(tmp_path, OTHER)) == (COST, None)
    later = replace(COST, latency_ms=700.0)
    keep(tmp_path, ONE, later)
    keep(tmp_path, OTHER, COST)
    assert (kept(tmp_path, ONE), kept(tmp_path, OTHER)) == (later, COST)


def test_a_file_that_came_along_from_another_machine_is_not_read(tmp_path: Path) -> None:
    keep(tmp_path, ONE, COST)
    [path] = tmp_path.iterdir()
    found = read_json(path)
    assert (found["candidate_sha256"], found["host"]) == (ONE, host())
    write_json(path, found | {"host": "another processor"})
    assert kept(tmp_path, ONE) is None


def test_a_machine_is_known_by_what_its_speed_depends_on() -> None:
    assert host() == host()
    assert "processors, " in host()
    assert " GB" in host()
