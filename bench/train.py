"""Tokens per second of our training loop, of transformers' Trainer and of TRL's SFTTrainer.

    python bench/train.py [--artifacts artifacts] [--tokens 30000] [--rounds 3]   # writes bench/results/train.json, .md

Same base, same fresh LoRA, same tokens, same AdamW and schedule, in one run; engines take turns, and each one's fastest
round counts. Tokens are those of texts: what only fills a batch up counts for nobody. Three kinds of data
(bench/train_material.py): texts as they are, which Trainer and SFTTrainer pad by default and we pack; pairs, the same;
and blocks that are full for all, where there is nothing to gain but in the step itself. Rows per step are chosen so
that all take about as many steps for the same tokens.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from results_file import Goal, Outcome, at_least, at_most, write

from acclimate.core.params import load

ONCE = Path(__file__).parent / "train_once.py"
OURS = "acclimate"
PEERS = {"Trainer": 1.5, "SFTTrainer": 2.0}
"""Whom we compare with, and how many times their tokens per second are wanted."""
ROUNDING = 0.01
"""Nats between losses after the very same steps: sums are rounded in another order."""


@dataclass(frozen=True)
class Trained:
    """One engine on one kind of data."""

    engine: str
    data: str
    steps: int
    padding: float
    """Share of the positions computed that hold no token (0–1)."""
    tokens_per_s: float
    """By the wall clock, of the fastest round."""
    tokens_per_cpu_s: float
    held_out_loss: float
    """Nats per learned token of texts that nobody was trained on, each read by itself; mean of the rounds."""
    peak_rss_mb: float


def main() -> int:
    """Let the engines take turns and write what came out."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--artifacts", type=Path, default=Path("artifacts"), help="of a finished run")
    arguments.add_argument("--tokens", type=int, default=30_000, help="of each kind of data, about")
    arguments.add_argument("--rounds", type=int, default=3)
    asked = arguments.parse_args()
    command = [sys.executable, str(ONCE), str(asked.artifacts), str(asked.tokens), str(asked.rounds)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    by_engine: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for one in found:
        by_engine.setdefault((one["data"], one["engine"]), []).append(one)
    params = load(Path("params.yaml"))
    said = (
        f"about {asked.tokens:,} tokens of each kind in sequences of {params.train_domain.sequence_tokens}, LoRA of "
        f"rank {params.training.rank} beside {params.base.model}, {params.common.threads} threads; best of "
        f"{asked.rounds} rounds"
    )
    versions = {name: importlib.metadata.version(name) for name in ("torch", "transformers", "peft", "trl")}
    rows = [row(rounds) for rounds in by_engine.values()]
    write("train", Outcome({"said": said}, versions, rows, goals(by_engine), {"rounds": found}))
    return 0


def row(rounds: list[dict[str, Any]]) -> Trained:
    """The rounds of one engine on one kind of data as one."""
    best = max(rounds, key=per_cpu_second)
    return Trained(
        engine=best["engine"],
        data=best["data"],
        steps=best["steps"],
        padding=round(best["padding"], 3),
        tokens_per_s=round(best["tokens"] / best["wall_s"], 1),
        tokens_per_cpu_s=round(per_cpu_second(best), 1),
        held_out_loss=round(mean(one["held_out_loss"] for one in rounds), 4),
        peak_rss_mb=round(best["peak_rss_mb"], 1),
    )


def per_cpu_second(taken: dict[str, Any]) -> float:
    """Tokens: what else the machine does weighs less in CPU seconds than in those of the clock."""
    return float(taken["tokens"] / taken["cpu_s"])


def goals(by_engine: dict[tuple[str, str], list[dict[str, Any]]]) -> list[Goal]:
    """The ratios that are wanted on each kind of data, and that the loss is the same.

    After the very same steps up to rounding; else within what it differs by between the seeds of the rounds.
    """
    found: list[Goal] = []
    for (data, peer), rounds in by_engine.items():
        if peer not in PEERS:
            continue
        ours = by_engine[data, OURS]
        ratio = max(map(per_cpu_second, ours)) / max(map(per_cpu_second, rounds))
        found.append(at_least(f"{data}: tokens per CPU second, over {peer}'s", PEERS[peer], round(ratio, 2)))
        losses = [[one["held_out_loss"] for one in taken] for taken in (ours, rounds)]
        noise = ROUNDING if data == "blocks" else max(max(of) - min(of) for of in losses)
        apart = round(abs(mean(losses[0]) - mean(losses[1])), 4)
        found.append(at_most(f"{data}: held-out loss apart from {peer}'s (nats)", round(noise, 4), apart))
    return found


if __name__ == "__main__":
    sys.exit(main())
