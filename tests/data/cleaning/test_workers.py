"""workers: the same results in the same order, however many there are."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from acclimate.data.cleaning.workers import Workers


def _process(chunk: list[int]) -> int:
    return os.getpid()


# A file of its own, because processes import what they are to run.
_WORK = """
import sys, time
from acclimate.data.cleaning.workers import Workers

def add(chunk, amount):
    # The first chunks take longest: an order of arrival would be another.
    time.sleep(0.05 if chunk[0] < 1000 else 0)
    return [number + amount for number in chunk]

if __name__ == "__main__":
    with Workers(int(sys.argv[1])) as workers:
        print([number for chunk in workers.map(add, list(range(4200)), 5) for number in chunk])
"""


@pytest.mark.parametrize("processes", [1, 2])
def test_results_come_in_the_order_of_the_items(processes: int, tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text(_WORK)
    command = [sys.executable, str(tmp_path / "work.py"), str(processes)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert json.loads(done.stdout) == list(range(5, 4205))


def test_one_process_is_this_one() -> None:
    with Workers(1) as workers:
        assert set(workers.map(_process, [1, 2, 3])) == {os.getpid()}


def test_no_items_give_no_results() -> None:
    with Workers(1) as workers:
        assert list(workers.map(_process, [])) == []
