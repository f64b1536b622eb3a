from __future__ import annotations

import math
from pathlib import Path

import pytest
from scipy.stats import binomtest

from acclimate.core.errors import UserError
from acclimate.core.files import write_jsonl
from acclimate.model.compare import METRICS, Pair, read_rows
from acclimate.model.score import Row


def cloze(correct: list[int], clusters: list[str] | None = None) -> list[Row]:
    names = clusters or [str(i) for i in range(len(correct))]
    return [
        {"id": f"i{i}", "cluster": name, "correct": bool(value)}
        for i, (value, name) in enumerate(zip(correct, names, strict=True))
    ]


def text(bits: list[float], size: int = 10) -> list[Row]:
    return [
        {"id": f"t{i}", "cluster": str(i), "log_likelihood": -value * math.log(2), "bytes": size}
        for i, value in enumerate(bits)
    ]


def pair(reference: list[Row], candidate: list[Row], metric: str = "domain_cloze") -> Pair:
    task = METRICS[metric].task
    return Pair.of(metric, {task: reference}, {task: candidate}, resamples=2000, seed=1)


def test_scores_difference_and_p_of_a_cloze() -> None:
    compared = pair(cloze([1, 0, 0, 0, 0, 0, 0, 1]), cloze([1, 1, 1, 1, 1, 0, 0, 0]))
    assert (compared.reference, compared.candidate, compared.retention) == (0.25, 0.625, 2.5)
    assert compared.p_value == pytest.approx(binomtest(4, 5, alternative="greater").pvalue)
    low, high = compared.interval
    assert low < 0.375 < high


def test_fewer_bits_are_better() -> None:
    compared = pair(text([30, 30, 30, 30]), text([20, 20, 20, 20]), "domain_bits_per_byte")
    assert (compared.reference, compared.candidate) == pytest.approx((3.0, 2.0))
    assert compared.p_value == 1 / 16
    assert compared.retention == pytest.approx(1.5)
    assert pair(text([20] * 4), text([30] * 4), "domain_bits_per_byte").p_value == 1.0


def test_texts_count_by_their_bytes() -> None:
    long, short = text([80], size=20)[0], {**text([10])[0], "id": "t1", "cluster": "1"}
    assert pair([long, short], [long, short], "domain_bits_per_byte").reference == pytest.approx(3.0)


def test_more_bits_are_a_loss_by_the_corresponding_share() -> None:
    assert pair(text([19] * 4), text([20] * 4), "domain_bits_per_byte").retention == pytest.approx(0.95)


def test_a_bound_needs_more_items_than_a_point_estimate() -> None:
    few, many = [1] * 12 + [0] * 8, [1] * 1200 + [0] * 800
    for base, shown in ((few, False), (many, True)):
        changed = base.copy()
        for place in range(0, len(base), 20):  # of twenty one is lost and one won: hardly anything in sum
            changed[place], changed[-place - 1] = 0, 1
        compared = pair(cloze(base), cloze(changed))
        assert compared.retention is not None
        assert compared.retention > 0.9
        assert (compared.retention_bounds(0.05)[0] > 0.9) is shown
        assert (compared.retention_p(0.9) < 0.05) is shown
        assert compared.can_show(0.9, 0.05, 0.8) is shown


def test_items_that_only_one_of_the_two_answers_are_the_discordance() -> None:
    compared = pair(cloze([1, 0, 0, 0, 1, 1, 0, 1]), cloze([1, 1, 1, 0, 0, 1, 0, 1]))
    assert compared.discordant == (2, 1)
    assert (compared.design.items, compared.design.discordance) == (8, 3 / 8)
    # Clusters of one item: the design effect is the correction for one estimated mean.
    assert compared.design.effect == pytest.approx(8 / 7)


def test_whole_clusters_won_are_a_design_effect_of_their_size() -> None:
    base, won = [0] * 400, [1, 1, 1, 1, 0, 0, 0, 0] * 50
    assert pair(cloze(base, [str(i // 4) for i in range(400)]), cloze(won)).design.effect == pytest.approx(4, rel=0.02)


def test_a_reference_that_knows_nothing_has_nothing_to_keep() -> None:
    assert pair(cloze([0, 0]), cloze([0, 1])).retention is None


def test_a_description_counts_items_and_clusters() -> None:
    described = pair(cloze([1, 0, 1], ["a", "a", "b"]), cloze([1, 1, 1], ["a", "a", "b"])).describe()
    assert {key: described[key] for key in ("base", "candidate", "champion", "difference", "n", "clusters")} == {
        "base": 0.666667,
        "candidate": 1.0,
        "champion": None,
        "difference": 0.333333,
        "n": 3,
        "clusters": 2,
    }


def test_other_items_cannot_be_compared() -> None:
    with pytest.raises(UserError, match=r"domain_cloze: .* different items \(3 and 2, 2 in common\)"):
        pair(cloze([1, 0, 1]), cloze([1, 0]))


def test_a_missing_task_is_named(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "domain_cloze.jsonl", cloze([1]))
    with pytest.raises(UserError, match="no results of general_cloze, domain_text, general_text"):
        read_rows(tmp_path)
