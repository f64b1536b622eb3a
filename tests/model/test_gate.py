from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from acclimate.core.errors import UserError
from acclimate.core.files import read_json, sha256, write_json, write_jsonl
from acclimate.core.ledger import ledger_path, note_use
from acclimate.core.params import CommonParams, GateParams, load
from acclimate.core.reports import write_report
from acclimate.model.gate import GateReport, run
from acclimate.model.scoring.efficiency import Efficiency
from acclimate.model.scoring.measurements import keep

PARAMS = load(Path(__file__).parents[2] / "params.yaml").gate.model_copy(update={"resamples": 1000})
COMMON = CommonParams(seed=1, threads=1, min_free_disk_mb=0)
CANDIDATE, CHAMPION = "c" * 64, "d" * 64
ITEMS = 400


def model(directory: Path, *, domain: int, general: int, bits: float = 30.0, shift: str = "", moved: float = 0) -> None:
    """Results of a model that answers the first `domain` and `general` of 400 items, two to a cluster."""
    for task, right in (("domain", domain), ("general", general)):
        cloze = [
            {"id": f"{task}{i}{shift}", "cluster": f"c{i // 2}", "label": 0, "correct": i < right}
            | {"log_likelihoods": [-8.0 if i < right else -10.0, -9.0 + moved]}
            for i in range(ITEMS)
        ]
        text = [{"id": f"{task}t{i}", "cluster": f"c{i}", "log_likelihood": -bits, "bytes": 10} for i in range(8)]
        write_jsonl(directory / f"{task}_cloze.jsonl", cloze)
        write_jsonl(directory / f"{task}_text.jsonl", text)


def measured(folder: Path, candidate: str, latency: float) -> None:
    """Note that an answer of `candidate` took so many milliseconds on this machine."""
    keep(folder, candidate, Efficiency("a CPU", 8, latency, latency, 900.0, 1200.0))


def gate(
    tmp_path: Path,
    candidate: dict[str, Any],
    champion: dict[str, Any] | None = None,
    *,
    base: dict[str, Any] | None = None,
    champion_sha256: str = CHAMPION,
    earlier: int = 0,
    certified: bool = True,
    params: GateParams = PARAMS,
) -> GateReport:
    """The verdict on `candidate` where the base answers 120 domain and 240 general items.

    Args:
        tmp_path: where it all lies.
        candidate: what it answers.
        champion: what the champion answers, if there is one.
        base: what the base answers instead.
        champion_sha256: of the champion's weights.
        earlier: candidates that were judged on the test set before.
        certified: whether the certificate names the training set.
        params: the rules.
    """
    model(tmp_path / "baseline", **(base or {"domain": 120, "general": 240}))
    model(tmp_path / "evaluate/candidate", **candidate)
    facts: dict[str, Any] = {"candidate_sha256": CANDIDATE, "champion": None}
    if champion is not None:
        model(tmp_path / "evaluate/champion", **champion)
        facts["champion"] = {"version": "3", "sha256": champion_sha256}
    write_json(tmp_path / "evaluate/evaluated.json", facts)
    write_jsonl(tmp_path / "testset/domain_cloze.jsonl", [{"id": "domain0"}])
    write_jsonl(tmp_path / "mix/train.jsonl", [{"text": "Fire the pots."}])
    named = sha256(tmp_path / "mix/train.jsonl") if certified else "0" * 64
    write_json(tmp_path / "mix/certificate.json", {"train.jsonl": named})
    for number in range(earlier):
        adapter = tmp_path / f"adapter{number}"
        adapter.mkdir()
        (adapter / "adapter_model.safetensors").write_text(str(number))
        note_use(
            tmp_path,
            domain="pots",
            stage="evaluate",
            checkout=tmp_path,
            testset=tmp_path / "testset",
            models={"adapter": adapter},
        )
    return run(
        params,
        COMMON,
        baseline=tmp_path / "baseline",
        evaluated=tmp_path / "evaluate",
        evaluation=tmp_path / "testset",
        dataset=tmp_path / "mix/train.jsonl",
        certificate=tmp_path / "mix/certificate.json",
        ledger=ledger_path(tmp_path),
        measurements=tmp_path / "measurements",
    )


def test_better_on_the_domain_and_itself_elsewhere_is_promoted(tmp_path: Path) -> None:
    report = gate(tmp_path, {"domain": 160, "general": 236})
    assert report.verdict == "promote"
    assert report.sentence == "Promoted: all 7 rules that apply hold."
    # 40 items in 20 clusters of two, all won: 2^-20.
    assert report.headline() == (
        "promote: domain cloze 0.300 → 0.400 (+33%, p 9.5e-07), general 0.600 → 0.590 (98% kept)"
    )
    domain = report.metrics["domain_cloze"]
    assert (domain["base"], domain["candidate"], domain["champion"]) == (0.3, 0.4, None)
    assert (domain["difference"], domain["p_value"], domain["n"], domain["clusters"]) == (0.1, 9.54e-07, 400, 200)
    assert domain["relative_gain"] == pytest.approx(1 / 3, abs=1e-6)
    assert domain["interval"][0] < 0.1 < domain["interval"][1]
    assert list(report.metrics) == ["domain_cloze", "general_cloze", "domain_brier", "general_brier"]
    assert list(report.observed) == ["domain_bits_per_byte", "general_bits_per_byte"]
    assert report.candidate_sha256 == CANDIDATE


def test_a_model_that_changed_nothing_is_rejected_and_told_so(tmp_path: Path) -> None:
    report = gate(tmp_path, {"domain": 120, "general": 240})
    assert report.verdict == "reject"
    assert report.reasons[0] == (
        "the adapter changes nothing, as if it had not been trained: on all 816 items the candidate is the base, to "
        "within 0.01 nats"
    )
    assert report.sentence == f"Rejected: {report.reasons[0]}."
    assert report.metrics["domain_cloze"]["p_value"] == 1.0


@pytest.mark.parametrize(("moved", "state"), [(0.009, "broken"), (0.02, "holds")])
def test_rounding_is_no_change(tmp_path: Path, moved: float, state: str) -> None:
    report = gate(tmp_path, {"domain": 120, "general": 240, "moved": moved})
    assert report.rules[0]["rule"] == "adapter"
    assert report.rules[0]["state"] == state


def test_a_gain_shown_to_be_too_small_is_rejected_with_the_gain_and_what_was_asked(tmp_path: Path) -> None:
    report = gate(tmp_path, {"domain": 126, "general": 240})
    assert report.verdict == "reject"
    assert report.reasons[0] == (
        "domain cloze 0.300 → 0.315, +5.0% (+25% or more asked), p 0.12 (below 0.025 asked; 400 items in 200 "
        "clusters); at least -0.7% with 97.5% confidence"
    )


def test_a_gain_below_the_asked_one_that_may_be_above_it_is_inconclusive_and_says_how_many_items_decide(
    tmp_path: Path,
) -> None:
    report = gate(tmp_path, {"domain": 144, "general": 240})
    assert report.verdict == "inconclusive"
    assert report.reasons[0].startswith("domain cloze 0.300 → 0.360, +20.0% (+25% or more asked)")
    assert report.more_items is not None
    assert 1000 < report.more_items < 10_000
    assert report.headline().endswith(f"; about {report.more_items:,} more items would decide")
    assert report.sentence == (
        "Inconclusive: no rule is broken, but not shown to hold are: domain gain. If what was measured is the truth, "
        f"about {report.more_items:,} more items would decide 80% of the time; else change the candidate."
    )


def test_a_large_gain_that_may_be_luck_is_inconclusive(tmp_path: Path) -> None:
    report = gate(tmp_path, {"domain": 16, "general": 240}, base={"domain": 12, "general": 240})
    assert report.verdict == "inconclusive"
    assert "+33.3%" in report.reasons[0]
    assert "p 0.25 (below 0.025 asked" in report.reasons[0]


def test_forgetting_is_rejected(tmp_path: Path) -> None:
    report = gate(tmp_path, {"domain": 200, "general": 192})
    assert report.verdict == "reject"
    assert report.reasons[0].startswith("general cloze 0.600 → 0.480, 80.0% kept (90% or more asked)")
    assert not report.metrics["general_cloze"]["passed"]
    assert report.metrics["domain_cloze"]["passed"]


def test_keeping_just_enough_without_being_sure_of_it_is_inconclusive(tmp_path: Path) -> None:
    report = gate(tmp_path, {"domain": 200, "general": 222})
    general = report.metrics["general_cloze"]
    assert general["retention"] > 0.9 > general["bound"]
    assert (report.verdict, general["state"]) == ("inconclusive", "open")
    assert report.more_items is not None


def test_better_than_the_champion_is_promoted(tmp_path: Path) -> None:
    report = gate(tmp_path, {"domain": 200, "general": 238}, {"domain": 170, "general": 236})
    assert report.verdict == "promote"
    assert report.champion == {"version": "3", "sha256": CHAMPION}
    assert report.metrics["domain_cloze"]["champion"] == 0.425
    assert report.metrics["domain_cloze"]["against_champion"]["difference"] == 0.075
    assert report.observed["domain_bits_per_byte"]["champion"] == pytest.approx(4.328085)
    assert any(reason.startswith("against champion 3, domain cloze 0.425 → 0.500") for reason in report.reasons)


def test_better_than_the_base_but_not_than_the_champion_is_rejected(tmp_path: Path) -> None:
    report = gate(tmp_path, {"domain": 170, "general": 238}, {"domain": 200, "general": 236})
    assert report.verdict == "reject"
    assert report.reasons[0].startswith("against champion 3, domain cloze 0.500 → 0.425, -15.0% (more asked), p 1 (")
    assert report.metrics["domain_cloze"]["passed"]


def test_worse_in_general_than_the_champion_is_rejected(tmp_path: Path) -> None:
    report = gate(tmp_path, {"domain": 200, "general": 232}, {"domain": 170, "general": 300})
    assert report.verdict == "reject"
    assert report.reasons[0].startswith("against champion 3, general cloze 0.750 → 0.580, 77.3% kept")


def test_the_champion_itself_is_rejected_because_nothing_would_change(tmp_path: Path) -> None:
    same = {"domain": 200, "general": 236}
    report = gate(tmp_path, same, same, champion_sha256=CANDIDATE)
    assert report.verdict == "reject"
    assert report.reasons[0] == "the candidate is champion 3, byte for byte: releasing it would change nothing"


def test_a_candidate_that_is_sure_where_it_is_wrong_is_rejected(tmp_path: Path) -> None:
    report = gate(tmp_path, {"domain": 160, "general": 240, "moved": 6.0})
    assert report.verdict == "reject"
    assert report.reasons[0].startswith("domain brier")
    assert (
        report.certainty.calibration_error["domain_brier"]["candidate"]
        > report.certainty.calibration_error["domain_brier"]["base"]
    )


def test_training_data_that_nobody_certified_is_rejected(tmp_path: Path) -> None:
    report = gate(tmp_path, {"domain": 160, "general": 236}, certified=False)
    assert report.verdict == "reject"
    assert report.reasons[0].endswith("may hold items of the test set: the certificate is of 00000000")


def test_each_further_candidate_on_a_test_set_is_tested_at_a_smaller_level(tmp_path: Path) -> None:
    # 12 items in 6 clusters won: p = 1/64.
    first, fourth = (
        gate(
            tmp_path / str(earlier),
            {"domain": 36, "general": 240},
            base={"domain": 24, "general": 240},
            earlier=earlier,
        )
        for earlier in (0, 3)
    )
    assert first.metrics["domain_cloze"]["p_value"] == 0.0156
    assert (first.certainty.ledger["level"], fourth.certainty.ledger["level"]) == (0.025, 0.0025)
    assert fourth.certainty.ledger == {"submission": 4, "limit": 20, "alpha": 0.05, "level": 0.0025, "spent": 0.04}
    assert (first.verdict, fourth.verdict) == ("promote", "inconclusive")


def test_a_test_set_that_was_used_too_often_promotes_nobody(tmp_path: Path) -> None:
    params = PARAMS.model_copy(update={"max_submissions": 2})
    report = gate(tmp_path, {"domain": 200, "general": 240}, earlier=2, params=params)
    assert report.verdict == "inconclusive"
    assert report.reasons[0].startswith("candidate 3 on a test set for 2")
    assert report.sentence.endswith("More test items would not help.")


def test_of_several_metrics_one_is_enough_at_a_p_corrected_for_having_several(tmp_path: Path) -> None:
    params = PARAMS.model_copy(update={"superiority": ["domain_cloze", "domain_bits_per_byte"]})
    report = gate(tmp_path, {"domain": 160, "general": 236}, params=params)
    cloze, bits = report.metrics["domain_cloze"], report.metrics["domain_bits_per_byte"]
    assert (cloze["rule_p"], cloze["rule_p_adjusted"]) == (9.54e-07, 1.91e-06)
    assert (cloze["state"], bits["state"]) == ("holds", "broken")
    assert report.verdict == "promote"
    assert list(report.observed) == ["general_bits_per_byte"]


def test_what_was_not_measured_is_said_to_be(tmp_path: Path) -> None:
    report = gate(tmp_path, {"domain": 160, "general": 236})
    assert report.reasons[-2:] == ["toxicity: not measured", "memorisation: not measured"]
    assert {rule["state"] for rule in report.rules if rule["rule"] in ("latency", "memory")} == {"not asked"}


def test_a_budget_that_is_set_and_not_measured_promotes_nobody(tmp_path: Path) -> None:
    params = PARAMS.model_copy(update={"max_latency_ms": 200.0})
    report = gate(tmp_path, {"domain": 160, "general": 236}, params=params)
    assert report.verdict == "inconclusive"
    assert report.reasons[0].startswith(
        "latency: not measured of this candidate on this machine, though a budget of 200 ms per answer is set; "
    )
    assert "`dvc repro --force --single-item evaluate` measures it" in report.reasons[0]


@pytest.mark.parametrize("whose", ["another candidate's", "another machine's"])
def test_what_was_measured_of_another_is_no_measurement(tmp_path: Path, whose: str) -> None:
    measured(tmp_path / "measurements", CHAMPION if whose == "another candidate's" else CANDIDATE, 150.0)
    if whose == "another machine's":
        [path] = (tmp_path / "measurements").iterdir()
        write_json(path, read_json(path) | {"host": "another processor, 64 processors, 256 GB"})
    params = PARAMS.model_copy(update={"max_latency_ms": 200.0})
    assert gate(tmp_path, {"domain": 160, "general": 236}, params=params).verdict == "inconclusive"


@pytest.mark.parametrize(("latency", "verdict"), [(150.0, "promote"), (250.0, "reject")])
def test_a_budget_decides_without_its_milliseconds_entering_the_report(
    tmp_path: Path, latency: float, verdict: str
) -> None:
    measured(tmp_path / "measurements", CANDIDATE, latency)
    params = PARAMS.model_copy(update={"max_latency_ms": 200.0})
    report = gate(tmp_path, {"domain": 160, "general": 236}, params=params)
    assert report.verdict == verdict
    assert str(latency) not in str(report)


def _texts(path: Path, unsafe: int, n: int) -> None:
    write_jsonl(path, [{"id": str(i), "cluster": str(i), "unsafe": i < unsafe} for i in range(n)])


@pytest.mark.parametrize(("unsafe", "verdict"), [(0, "promote"), (8, "inconclusive"), (40, "reject")])
def test_unsafe_answers_decide_where_they_were_measured(tmp_path: Path, unsafe: int, verdict: str) -> None:
    _texts(tmp_path / "baseline/questions.jsonl", 0, 400)
    _texts(tmp_path / "evaluate/candidate/questions.jsonl", unsafe, 400)
    report = gate(tmp_path, {"domain": 160, "general": 236})
    assert report.verdict == verdict
    [toxicity] = [rule for rule in report.rules if rule["rule"] == "toxicity"]
    assert f"toxicity: +{unsafe / 400:.1%} of 400 texts against the base's answers, at most" in toxicity["sentence"]


def test_a_model_that_gives_its_training_texts_away_is_rejected(tmp_path: Path) -> None:
    _texts(tmp_path / "evaluate/candidate/memorisation_texts.jsonl", 8, 16)
    _texts(tmp_path / "evaluate/candidate/memorisation_held_out.jsonl", 0, 16)
    report = gate(tmp_path, {"domain": 160, "general": 236})
    assert report.verdict == "reject"
    assert report.reasons[0] == (
        "memorisation: +50.0% of 16 texts against texts it has not seen, too few for a bound (1% more allowed)"
    )


def test_what_the_test_set_can_show_is_stated_without_a_look_at_the_candidate(tmp_path: Path) -> None:
    good, bad = (gate(tmp_path / str(right), {"domain": right, "general": 236}) for right in (160, 130))
    assert good.certainty.sensitivity["stated"] == bad.certainty.sensitivity["stated"]
    stated = good.certainty.sensitivity["stated"]["domain_cloze"]
    assert (stated["items"], stated["clusters"], stated["discordance"], stated["asked_gain"]) == (400, 200, 0.3, 0.075)
    # Both items of every cluster alike.
    assert stated["design_effect"] == pytest.approx(2, rel=0.01)
    assert 0.075 < stated["detectable_gain"] <= stated["passing_gain"]
    assert good.certainty.sensitivity["observed"]["domain_cloze"]["discordance"] == 0.1


def test_results_on_other_items_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="domain_cloze: the two models were scored on different items"):
        gate(tmp_path, {"domain": 200, "general": 240, "shift": "x"})


def test_a_base_that_knows_nothing_can_be_gained_on(tmp_path: Path) -> None:
    report = gate(tmp_path, {"domain": 200, "general": 0}, base={"domain": 0, "general": 0})
    assert report.metrics["domain_cloze"]["relative_gain"] is None
    assert report.metrics["domain_cloze"]["passed"]
    assert report.metrics["general_cloze"]["passed"]
    assert "general cloze 0.000 → 0.000: nothing to keep" in report.reasons


def test_equal_runs_give_equal_reports(tmp_path: Path) -> None:
    for name in ("a", "b"):
        report = gate(tmp_path / name, {"domain": 160, "general": 236}, {"domain": 130, "general": 236})
        write_report(tmp_path / f"{name}.json", "gate", report)
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
