from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from acclimate.data.validation.checking import SHOWN, CheckedSuite
from acclimate.data.validation.data_docs import open_context


def _lengths(tmp_path: Path) -> CheckedSuite:
    from great_expectations import expectations as gxe

    suite = [gxe.ExpectColumnValueLengthsToBeBetween(column="text", min_value=40)]
    return CheckedSuite(open_context(tmp_path), "records", suite)


def _frame(*texts: Any) -> Any:
    return pd.DataFrame({"text": texts}, dtype=object)


def test_the_positions_of_failing_rows_are_those_of_the_frame_it_was_cut_from(tmp_path: Path) -> None:
    frame = _frame("long enough to pass, as it is forty and more", "no", "no")
    [outcome] = _lengths(tmp_path).check(frame[1:])
    assert (outcome.evaluated, outcome.failed, outcome.rows) == (2, 2, [1, 2])
    assert (outcome.name, outcome.rule) == ("expect_column_value_lengths_to_be_between(text)", "min_value 40")


def test_frames_add_up_and_an_empty_one_adds_nothing(tmp_path: Path) -> None:
    suite = _lengths(tmp_path)
    assert suite.result() is None
    for frame in (_frame(), _frame("no", "x" * 40, None), _frame(), _frame("no", "neither")):
        suite.check(frame)
    [total] = suite.outcomes()
    assert (total.evaluated, total.failed, total.rows, total.success) == (4, 3, [], False)
    result = suite.result()
    found = result.results[0].result
    assert (found["element_count"], found["missing_count"], found["unexpected_count"]) == (5, 1, 3)
    assert found["unexpected_percent"] == 75
    assert found["partial_unexpected_list"] == ["no", "no", "neither"]
    assert (result.success, result.statistics["unsuccessful_expectations"]) == (False, 1)


def test_a_last_frame_without_failures_does_not_hide_those_before(tmp_path: Path) -> None:
    suite = _lengths(tmp_path)
    suite.check(_frame("no"))
    suite.check(_frame("x" * 40))
    assert suite.result().success is False
    assert suite.result().results[0].success is False


def test_of_failing_values_the_first_are_kept(tmp_path: Path) -> None:
    suite = _lengths(tmp_path)
    for start in (0, 15, 30):
        suite.check(_frame(*(f"{number}" for number in range(start, start + 15))))
    assert suite.result().results[0].result["partial_unexpected_list"] == [f"{number}" for number in range(SHOWN)]


def test_labels_stand_for_the_values_that_failed(tmp_path: Path) -> None:
    suite = _lengths(tmp_path)
    suite.check(_frame("no", "x" * 40, None), labels=["the <first>", "the second", "the third"])
    found = suite.result().results[0].result
    assert (found["partial_unexpected_list"], found["element_count"]) == (["the &lt;first&gt;"], 2)


def test_an_expectation_that_cannot_run_is_our_fault_not_the_datas(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="expect_column_value_lengths_to_be_between did not run"):
        _lengths(tmp_path).check(pd.DataFrame({"other": ["x"]}))
