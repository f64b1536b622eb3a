"""Composite scores, and when one base is recommended over another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.model.choosing.dimensions import Scored
from acclimate.model.choosing.potential import adaptation_potential
from acclimate.model.choosing.qualities import Items, advantage, composite, qualities
from acclimate.model.choosing.recommending import recommended


def items(right: int, n: int = 60) -> Items:
    """`right` of n right on accuracy and terminology alike, every second in a cluster with its neighbour."""
    scored = [Scored(str(i), str(i // 2), float(i < right), i >= right, float(i), "said") for i in range(n)]
    return {"domain_accuracy": scored, "domain_terminology": scored}


def test_what_is_not_measured_gives_its_weight_to_the_rest() -> None:
    found = qualities({**items(30), "uncertainty_calibration": items(60)["domain_accuracy"]}, seed=1)
    assert [round(of.weight, 3) for of in found.values()] == [0.5, 0.286, 0.214]
    assert found["domain_accuracy"].mean.value == 0.5
    assert found["domain_accuracy"].sd == pytest.approx(0.5042, abs=1e-4)
    assert (found["domain_accuracy"].minimum, found["domain_accuracy"].failures.value) == (0.0, 0.5)


def test_the_worst_five_are_the_wrong_ones_it_was_surest_of() -> None:
    worst = qualities(items(30), seed=1)["domain_accuracy"].worst
    assert [one.id for one in worst] == ["59", "58", "57", "56", "55"]


@given(st.integers(0, 60))
def test_the_composite_of_equal_dimensions_is_their_mean_and_lies_in_its_interval(right: int) -> None:
    found = composite(items(right), seed=1)
    assert found.value == pytest.approx(right / 60, abs=1e-6)
    assert found.low <= found.value <= found.high


def test_a_model_has_no_advantage_over_itself() -> None:
    found = advantage(items(20), items(20), seed=1)
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_a_base_that_is_shown_to_be_better_is_recommended_with_its_advantage() -> None:
    found = recommended({"base": items(20), "larger": items(50), "worse": items(5)}, seed=1)
    assert found.choice == "larger"
    assert found.advantages["larger"].value == pytest.approx(0.5)
    assert found.advantages["worse"].high < 0
    assert "composite 0.833 against 0.333" in found.why


def test_without_proof_the_present_base_stays() -> None:
    found = recommended({"base": items(20), "other": items(21)}, seed=1)
    assert found.choice == "base"
    assert found.why.startswith("none is shown to be better; the best of them is other")


def test_several_candidates_make_each_interval_wider() -> None:
    one = recommended({"base": items(20), "other": items(30)}, seed=1).advantages["other"]
    many = {f"model{number}": items(30) for number in range(20)}
    several = recommended({"base": items(20), "other": items(30), **many}, seed=1).advantages["other"]
    assert several.low < one.low
    assert several.value == one.value


@pytest.mark.parametrize(
    ("domain", "general", "share", "reading"),
    [(3.0, 2.0, 1 / 3, "much to gain"), (2.0, 2.0, 0.0, "little to gain"), (2.0, 3.0, 0.0, "little to gain")],
)
def test_potential_is_the_share_of_bits_that_familiarity_would_save(
    domain: float, general: float, share: float, reading: str
) -> None:
    def rows(nats: float) -> list[dict[str, object]]:
        return [{"id": str(i), "cluster": str(i), "log_likelihood": -nats, "bytes": 1} for i in range(10)]

    found = adaptation_potential(rows(domain), rows(general), seed=1)
    assert found.share.value == pytest.approx(share, abs=1e-6)
    assert found.reading.startswith(reading)
