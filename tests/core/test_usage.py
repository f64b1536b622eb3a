from __future__ import annotations

import subprocess
import sys
import time

from acclimate.core.usage import MOST, measured

BUSY = "import time; end = time.monotonic() + 0.6\nwhile time.monotonic() < end: pass"


def test_a_child_that_works_counts_and_a_block_that_sleeps_does_not() -> None:
    with measured(0.1) as idle:
        time.sleep(0.4)
    with measured(0.1) as busy:
        subprocess.run([sys.executable, "-c", BUSY], check=True)
    assert max(idle["cpu_percent"]) < 40
    assert max(busy["cpu_percent"]) > 20
    assert all(memory > 1 for memory in busy["memory_mb"])
    assert len({len(values) for values in busy.values()}) == 1
    assert busy["seconds"] == sorted(busy["seconds"])


def test_even_the_shortest_block_has_a_sample() -> None:
    with measured() as usage:
        pass
    assert len(usage["seconds"]) == 1


def test_a_long_block_keeps_a_bounded_number_of_samples() -> None:
    with measured(0.0001) as usage:
        deadline = time.monotonic() + 20
        while len(usage["seconds"]) < MOST - 10 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.3)
    assert MOST / 2 - 10 < len(usage["seconds"]) <= MOST + 1
