"""Tokens per second of our training loop, of transformers' Trainer and of TRL's SFTTrainer.

    python bench/train.py [--artifacts artifacts] [--steps 40] [--rounds 3]   # writes bench/results/train.json and .md

Same base, same fresh LoRA, same rows of tokens in the same order, same AdamW and schedule, in one run: every engine
trains in a process of its own (bench/train_once.py), they take turns, and each engine's fastest round counts. The
clock runs from the first step to the last, so that nobody's imports are measured. Trainer and SFTTrainer keep their
defaults where those do not change what is computed: SFTTrainer's include gradient checkpointing, which trades time
for memory; a row of its own measures it without.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import sys
from dataclasses import dataclass
from pathlib import Path

from results_file import Goal, Outcome, at_least, at_most, measured, write

from acclimate.core.params import load

ONCE = Path(__file__).parent / "train_once.py"
ENGINES = ("acclimate", "Trainer", "SFTTrainer", "SFTTrainer without checkpointing")
LOSS_NOISE = 0.01
"""Nats between final losses (mean of the last quarter of the steps): sums are rounded in another order."""


@dataclass(frozen=True)
class Trained:
    """The fastest round of one engine."""

    engine: str
    tokens_per_s: float
    """By the wall clock."""
    tokens_per_cpu_s: float
    final_loss: float
    """Nats per token, mean of the last quarter of the steps."""
    peak_rss_mb: float


def main() -> int:
    """Let the engines take turns and write what came out."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--artifacts", type=Path, default=Path("artifacts"), help="of a finished run")
    arguments.add_argument("--steps", type=int, default=40)
    arguments.add_argument("--rounds", type=int, default=3)
    asked = arguments.parse_args()
    rounds = [[train(engine, asked.artifacts, asked.steps) for engine in ENGINES] for _ in range(asked.rounds)]
    rows = [max(tries, key=lambda row: row.tokens_per_cpu_s) for tries in zip(*rounds, strict=True)]
    params = load(Path("params.yaml"))
    stage = params.train_domain
    said = (
        f"{asked.steps} steps of {stage.batch_sequences} × {stage.sequence_tokens} tokens of the mix, LoRA of rank "
        f"{params.training.rank} beside {params.base.model}, {params.common.threads} threads; "
        f"best of {asked.rounds} rounds"
    )
    versions = {name: importlib.metadata.version(name) for name in ("torch", "transformers", "peft", "trl")}
    every = {row.engine: [tries[place].tokens_per_cpu_s for tries in rounds] for place, row in enumerate(rows)}
    write("train", Outcome({"said": said}, versions, rows, goals(rows), {"tokens_per_cpu_s_by_round": every}))
    return 0


def train(engine: str, artifacts: Path, steps: int) -> Trained:
    """One round of one engine."""
    usage = measured([sys.executable, str(ONCE), engine, str(artifacts), str(steps)])
    found = json.loads(usage.output.splitlines()[-1])
    tokens = found["tokens"]
    return Trained(
        engine=engine,
        tokens_per_s=round(tokens / found["wall_s"], 1),
        tokens_per_cpu_s=round(tokens / found["cpu_s"], 1),
        final_loss=round(found["final_loss"], 4),
        peak_rss_mb=usage.peak_rss_mb,
    )


def goals(rows: list[Trained]) -> list[Goal]:
    """The ratios that are wanted, by CPU seconds: what else the machine does weighs less in them."""
    by = {row.engine: row for row in rows}
    ours, losses = by["acclimate"].tokens_per_cpu_s, [row.final_loss for row in rows]
    return [
        at_least("tokens per CPU second, over Trainer's", 1.5, round(ours / by["Trainer"].tokens_per_cpu_s, 2)),
        at_least("tokens per CPU second, over SFTTrainer's", 2.0, round(ours / by["SFTTrainer"].tokens_per_cpu_s, 2)),
        at_most("largest difference of final losses (nats)", LOSS_NOISE, round(max(losses) - min(losses), 4)),
    ]


if __name__ == "__main__":
    sys.exit(main())
