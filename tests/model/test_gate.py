from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from acclimate.core.errors import UserError
from acclimate.core.files import write_json, write_jsonl
from acclimate.core.params import CommonParams, GateParams
from acclimate.core.reports import write_report
from acclimate.model.gate import GateReport, run

PARAMS = GateParams(min_relative_gain=0.25, alpha=0.05, min_retention=0.9, resamples=1000)
CANDIDATE, CHAMPION = "c" * 64, "d" * 64
ITEMS = 400


def model(directory: Path, *, domain: int, general: int, bits: float = 30.0, shift: str = "") -> None:
    """Results of a model that answers the first `domain` and `general` of 400 items, two to a cluster."""
    for task, right in (("domain", domain), ("general", general)):
        cloze = [{"id": f"{task}{i}{shift}", "cluster": f"c{i // 2}", "correct": i < right} for i in range(ITEMS)]
        text = [{"id": f"{task}t{i}", "cluster": f"c{i}", "log_likelihood": -bits, "bytes": 10} for i in range(8)]
        write_jsonl(directory / f"{task}_cloze.jsonl", cloze)
        write_jsonl(directory / f"{task}_text.jsonl", text)


def gate(
    tmp_path: Path,
    candidate: dict[str, Any],
    champion: dict[str, Any] | None = None,
    *,
    champion_sha256: str = CHAMPION,
) -> GateReport:
    """The verdict on `candidate` where the base answers 120 domain and 240 general items."""
    model(tmp_path / "baseline", domain=120, general=240)
    model(tmp_path / "evaluate/candidate", **candidate)
    facts: dict[str, Any] = {"candidate_sha256": CANDIDATE, "champion": None}
    if champion is not None:
        model(tmp_path / "evaluate/champion", **champion)
        facts["champion"] = {"version": "3", "sha256": champion_sha256}
    write_json(tmp_path / "evaluate/evaluated.json", facts)
    return run(
        PARAMS,
        CommonParams(seed=1, threads=1, min_free_disk_mb=0),
        baseline=tmp_path / "baseline",
        evaluated=tmp_path / "evaluate",
    )


def test_better_on_the_domain_and_itself_elsewhere_passes(tmp_path: Path) -> None:
    report = gate(tmp_path, {"domain": 160, "general": 236})
    assert report.verdict == "promote"
    # 40 items in 20 clusters of two, all won: 2^-20.
    assert report.headline() == (
        "promote: domain cloze 0.300 → 0.400 (+33%, p 9.5e-07), general 0.600 → 0.590 (98% kept)"
    )
    domain = report.metrics["domain_cloze"]
    assert (domain["base"], domain["candidate"], domain["champion"]) == (0.3, 0.4, None)
    assert (domain["difference"], domain["p_value"], domain["n"], domain["clusters"]) == (0.1, 9.54e-07, 400, 200)
    assert domain["relative_gain"] == pytest.approx(1 / 3, abs=1e-6)
    assert domain["interval"][0] < 0.1 < domain["interval"][1]
    assert list(report.metrics) == ["domain_cloze", "general_cloze"]
    assert list(report.observed) == ["domain_bits_per_byte", "general_bits_per_byte"]
    assert report.candidate_sha256 == CANDIDATE


def test_a_model_that_changed_nothing_fails_and_says_so(tmp_path: Path) -> None:
    report = gate(tmp_path, {"domain": 120, "general": 240})
    assert report.verdict == "reject"
    assert report.reasons[0] == "the adapter changes nothing: on all 816 items the candidate is the base"
    assert report.metrics["domain_cloze"]["p_value"] == 1.0


def test_a_gain_too_small_fails_with_the_gain_and_what_was_asked(tmp_path: Path) -> None:
    report = gate(tmp_path, {"domain": 144, "general": 240})
    assert report.verdict == "reject"
    assert report.reasons[0] == (
        "domain cloze 0.300 → 0.360, +20.0% (+25% or more asked), p 0.00024 (below 0.05 asked; "
        "400 items in 200 clusters)"
    )
    assert len(report.reasons) == 3


def test_a_large_gain_by_luck_fails(tmp_path: Path) -> None:
    report = gate(tmp_path, {"domain": 120, "general": 240})
    model(tmp_path / "baseline", domain=12, general=240)
    model(tmp_path / "evaluate/candidate", domain=16, general=240)
    report = run(
        PARAMS,
        CommonParams(seed=1, threads=1, min_free_disk_mb=0),
        baseline=tmp_path / "baseline",
        evaluated=tmp_path / "evaluate",
    )
    assert report.verdict == "reject"
    assert "+33.3%" in report.reasons[0]
    assert "p 0.25 (below 0.05 asked" in report.reasons[0]


def test_forgetting_fails(tmp_path: Path) -> None:
    report = gate(tmp_path, {"domain": 200, "general": 204})
    assert report.verdict == "reject"
    assert report.reasons[0].startswith("general cloze 0.600 → 0.510, 85.0% kept (90% or more asked)")
    assert not report.metrics["general_cloze"]["passed"]
    assert report.metrics["domain_cloze"]["passed"]


def test_keeping_just_enough_without_being_sure_of_it_fails(tmp_path: Path) -> None:
    report = gate(tmp_path, {"domain": 200, "general": 217})
    assert report.metrics["general_cloze"]["retention"] > 0.9
    assert report.metrics["general_cloze"]["excess_bound"] < 0
    assert report.verdict == "reject"


def test_better_than_the_champion_passes(tmp_path: Path) -> None:
    report = gate(tmp_path, {"domain": 200, "general": 238}, {"domain": 170, "general": 236})
    assert report.verdict == "promote"
    assert report.champion == {"version": "3", "sha256": CHAMPION}
    assert report.metrics["domain_cloze"]["champion"] == 0.425
    assert report.metrics["domain_cloze"]["against_champion"]["difference"] == 0.075
    assert report.observed["domain_bits_per_byte"]["champion"] == pytest.approx(4.328085)
    assert any(reason.startswith("against champion 3, domain cloze 0.425 → 0.500") for reason in report.reasons)


def test_better_than_the_base_but_not_than_the_champion_fails(tmp_path: Path) -> None:
    report = gate(tmp_path, {"domain": 170, "general": 238}, {"domain": 200, "general": 236})
    assert report.verdict == "reject"
    assert report.reasons[0] == ("against champion 3, domain cloze 0.500 → 0.425, p 1 (better with p below 0.05 asked)")
    assert report.metrics["domain_cloze"]["passed"]


def test_worse_in_general_than_the_champion_fails(tmp_path: Path) -> None:
    report = gate(tmp_path, {"domain": 200, "general": 232}, {"domain": 170, "general": 300})
    assert report.verdict == "reject"
    assert report.reasons[0].startswith("against champion 3, general cloze 0.750 → 0.580, 77.3% kept")


def test_the_champion_itself_fails_because_nothing_would_change(tmp_path: Path) -> None:
    same = {"domain": 200, "general": 236}
    report = gate(tmp_path, same, same, champion_sha256=CANDIDATE)
    assert report.verdict == "reject"
    assert report.reasons[0] == ("the candidate is champion 3, byte for byte: releasing it would change nothing")


def test_results_on_other_items_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="domain_cloze: the two models were scored on different items"):
        gate(tmp_path, {"domain": 200, "general": 240, "shift": "x"})


def test_a_base_that_knows_nothing_can_be_gained_on(tmp_path: Path) -> None:
    gate(tmp_path, {"domain": 200, "general": 0})
    model(tmp_path / "baseline", domain=0, general=0)
    report = run(
        PARAMS,
        CommonParams(seed=1, threads=1, min_free_disk_mb=0),
        baseline=tmp_path / "baseline",
        evaluated=tmp_path / "evaluate",
    )
    assert report.metrics["domain_cloze"]["relative_gain"] is None
    assert report.metrics["domain_cloze"]["passed"]
    assert report.metrics["general_cloze"]["retention"] is None


def test_equal_runs_give_equal_reports(tmp_path: Path) -> None:
    for name in ("a", "b"):
        report = gate(tmp_path / name, {"domain": 160, "general": 236}, {"domain": 130, "general": 236})
        write_report(tmp_path / f"{name}.json", "gate", report)
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
