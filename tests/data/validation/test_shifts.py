import math
import random
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.core.params import ValidateParams
from acclimate.data.validation.profile import VERSION, Profile, Slice
from acclimate.data.validation.shifts import Shift, compare, ks_distance

PARAMS = ValidateParams(
    min_characters=1,
    max_characters=100,
    languages=["en"],
    min_documents=1,
    max_quarantined_share=0.5,
    max_volume_drop=0.5,
    max_null_increase=0.1,
    max_language_shift=0.1,
    max_length_shift=0.2,
)
HISTOGRAMS = st.dictionaries(st.integers(1, 50).map(str), st.integers(1, 100), min_size=1)


def _slice(records: int = 10_000, **changes: Any) -> Slice:
    usual = Slice(
        records=records,
        passed=records,
        bytes=records * 100,
        null_share={"text": 0.0, "answer": 0.5},
        domains={"general": records},
        languages={"de": 0.05, "en": 0.95},
        length_quantiles={"0.5": 64},
        lengths={"32": records // 2, "64": records - records // 2},
    )
    return replace(usual, **changes)


def _profile(**sources: Slice) -> Profile:
    return Profile(VERSION, {"id": "string", "text": "string"}, _slice(), sources)


def _exceeded(now: Profile, then: Profile, configured: set[str] | None = None) -> list[Shift]:
    compared = compare(PARAMS, now, then, configured or {"own"})
    return [shift for shift in compared.shifts if shift.exceeded]


def test_a_batch_against_itself_has_moved_nowhere() -> None:
    compared = compare(PARAMS, _profile(own=_slice()), _profile(own=_slice()), {"own"})
    assert {shift.change for shift in compared.shifts} == {0.0}
    assert {(shift.measure, shift.subject) for shift in compared.shifts} == {
        ("volume_drop", ""),
        ("null_increase", "answer"),
        ("null_increase", "text"),
        ("language_shift", "de"),
        ("language_shift", "en"),
        ("length_shift", ""),
        ("schema_change", "id"),
        ("schema_change", "text"),
    }


@pytest.mark.parametrize(
    ("changes", "measure", "change"),
    [
        ({"passed": 4_900}, "volume_drop", 0.51),
        ({"null_share": {"text": 0.0, "answer": 0.61}}, "null_increase", 0.11),
        ({"languages": {"de": 0.16, "en": 0.84}}, "language_shift", 0.11),
        ({"lengths": {"32": 2_900, "64": 7_100}}, "length_shift", 0.21),
    ],
)
def test_a_change_beyond_its_dial_is_named_with_both_numbers(
    changes: dict[str, Any], measure: str, change: float
) -> None:
    found = _exceeded(_profile(own=_slice(**changes)), _profile(own=_slice()))
    assert {shift.measure for shift in found} == {measure}
    assert [shift.change for shift in found] == [pytest.approx(change)] * len(found)
    assert found[0].sentence().startswith("own: ")
    assert "in the accepted batch" in found[0].sentence()
    assert f"raise validate.max_{measure} in params.yaml" in found[0].remedy()


@pytest.mark.parametrize(
    "changes",
    [
        {"passed": 5_100},
        {"records": 90_000, "passed": 90_000},
        {"null_share": {"text": 0.0, "answer": 0.59}},
        {"null_share": {"text": 0.0, "answer": 0.0}},
        {"languages": {"de": 0.14, "en": 0.86}},
        {"lengths": {"32": 3_100, "64": 6_900}},
    ],
)
def test_a_change_within_its_dial_passes_and_so_do_more_records_and_fewer_nulls(changes: dict[str, Any]) -> None:
    assert _exceeded(_profile(own=_slice(**changes)), _profile(own=_slice())) == []


def test_in_a_small_source_what_chance_explains_passes() -> None:
    small = _slice(20, null_share={"text": 0.0, "answer": 0.75}, lengths={"32": 4, "64": 16})
    assert _exceeded(_profile(own=small), _profile(own=_slice(20))) == []
    broken = _slice(20, null_share={"text": 1.0, "answer": 1.0})
    assert [shift.subject for shift in _exceeded(_profile(own=broken), _profile(own=_slice(20)))] == ["answer", "text"]


def test_two_samples_of_the_same_kind_are_seldom_beyond_chance() -> None:
    chance, size = random.Random(0), 60
    alarms = 0
    for _ in range(300):
        drawn = [Counter(str(int(chance.gauss(100, 20))) for _ in range(size)) for _ in range(2)]
        now, then = (_slice(size, lengths=dict(lengths)) for lengths in drawn)
        alarms += len(_exceeded(_profile(own=now), _profile(own=then)))
    assert alarms <= 2


def test_a_source_that_vanished_by_itself_is_a_fault_and_one_taken_out_is_not() -> None:
    then = _profile(own=_slice(), gone=_slice())
    now = _profile(own=_slice(), new=_slice())
    [vanished] = _exceeded(now, then, {"own", "gone", "new"})
    assert (vanished.measure, vanished.source, vanished.change) == ("volume_drop", "gone", 1.0)
    assert "no record, though params.yaml names the source" in vanished.sentence()
    compared = compare(PARAMS, now, then, {"own", "new"})
    assert (compared.new_sources, compared.removed_sources) == (["new"], ["gone"])
    assert not any(shift.exceeded for shift in compared.shifts)


def test_a_column_that_came_went_or_changed_is_a_fault() -> None:
    then = _profile(own=_slice())
    now = replace(then, schema={"id": "int64", "licence": "string"})
    assert [(shift.found, shift.accepted) for shift in _exceeded(now, then)] == [
        ("column id is int64", "string"),
        ("column licence is string", "absent"),
        ("column text is absent", "string"),
    ]


@settings(deadline=None)
@given(HISTOGRAMS, HISTOGRAMS)
def test_the_distance_is_symmetric_and_between_zero_and_one(one: dict[str, int], other: dict[str, int]) -> None:
    assert ks_distance(one, one) == 0
    assert 0 <= ks_distance(one, other) <= 1 + 1e-9
    assert math.isclose(ks_distance(one, other), ks_distance(other, one), abs_tol=1e-12)


@settings(deadline=None)
@given(HISTOGRAMS, HISTOGRAMS)
def test_the_distance_is_the_largest_difference_of_shares_up_to_some_length(
    one: dict[str, int], other: dict[str, int]
) -> None:
    values = [[int(edge) for edge, count in of.items() for _ in range(count)] for of in (one, other)]
    shares = [[sum(value <= edge for value in of) / len(of) for edge in range(51)] for of in values]
    assert ks_distance(one, other) == pytest.approx(max(abs(x - y) for x, y in zip(*shares, strict=True)))
