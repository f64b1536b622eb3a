"""A short soak: bench/soak.py with a kill, against a real endpoint. What it misses it says, with the reason."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]


def test_what_is_acknowledged_is_answered_though_a_process_is_killed() -> None:
    command = [sys.executable, "bench/soak.py", "--requests", "100", "--kills", "1", "--clients", "4", "--only-say"]
    command += ["--unkilled", "0"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    said, end = json.JSONDecoder().raw_decode(done.stdout)
    assert (said["wrong"], said["lost"]) == ([], [])
    assert len(said["seconds_until_ready_again"]) == 1
    assert "met     acknowledged and lost: 0" in done.stdout[end:]


def test_growth_is_that_of_a_warm_process_and_one_reading_moves_it_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(CHECKOUT / "bench")
    from soak_memory import growth

    warm = [(requests, 480.0 + min(requests, 500) / 10 + requests / 500) for requests in range(0, 6000, 10)]
    assert growth(warm) == 2.0
    assert growth([(requests, mb + 300 * (requests == 4000)) for requests, mb in warm]) == 2.0
    assert growth([(requests, 480.0) for requests, _ in warm]) == 0.0
    assert growth(warm[:250]) is None, "too few to say anything"
