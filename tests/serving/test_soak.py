"""A short soak: bench/soak.py with a kill, against a real endpoint. What it misses it says, with the reason."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]


def test_what_is_acknowledged_is_answered_though_a_process_is_killed() -> None:
    command = [sys.executable, "bench/soak.py", "--requests", "100", "--kills", "1", "--clients", "4", "--only-say"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    said, end = json.JSONDecoder().raw_decode(done.stdout)
    assert (said["wrong"], said["lost"]) == ([], [])
    assert len(said["seconds_until_ready_again"]) == 1
    assert "met     acknowledged and lost: 0" in done.stdout[end:]
