"""workers: the same results in the same order, however many there are."""

import os
import time

import pytest

from acclimate.data.cleaning.workers import Workers


def _add(chunk: list[int], amount: int) -> list[int]:
    # The first chunks take longest: an order of arrival would be another.
    time.sleep(0.05 if chunk[0] < 1000 else 0)
    return [number + amount for number in chunk]


def _process(chunk: list[int]) -> int:
    return os.getpid()


@pytest.mark.parametrize("processes", [1, 2])
def test_results_come_in_the_order_of_the_items(processes: int) -> None:
    with Workers(processes) as workers:
        results = [number for chunk in workers.map(_add, list(range(4200)), 5) for number in chunk]
    assert results == list(range(5, 4205))


def test_one_process_is_this_one() -> None:
    with Workers(1) as workers:
        assert set(workers.map(_process, [1, 2, 3])) == {os.getpid()}


def test_no_items_give_no_results() -> None:
    with Workers(1) as workers:
        assert list(workers.map(_process, [])) == []
