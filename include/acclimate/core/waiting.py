"""How OpenMP's threads wait for each other: a little by spinning, then asleep."""

from __future__ import annotations

import os

SPINS = {"GOMP_SPINCOUNT": "2000"}
"""For the environment of a process that computes with torch.

A thread that spins takes its core from whoever wants it, the thread that it waits for included; one that sleeps at
once is woken a thousand times a training step. 2,000 turns, some microseconds, bridge most waits: pre-training on two
cores took 20 s where sleeping at once took 23 and spinning as GNU does 20, and two such processes beside each other
28, 29 and 39 s (one run of each, 15 steps with start-up, 2026-11-21; bench/waiting.py measures it by train_domain).
"""


def spin_briefly() -> None:
    """Set it for this process, unless the user chose; to be called before torch is imported, which reads it once."""
    if "OMP_WAIT_POLICY" not in os.environ:
        for name, value in SPINS.items():
            os.environ.setdefault(name, value)
