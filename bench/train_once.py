"""Every engine on every kind of data, each in a process of its own, for bench/train.py; the last line is JSON.

    python bench/train_once.py ARTIFACTS TOKENS ROUNDS
    [{"data": "documents", "engine": "Trainer", "round": 0, "tokens": 30720, "wall_s": 8.1, "held_out_loss": 4.1, …}, …]

The processes are forked once the libraries are loaded and before anything is computed, so that none finds what another
has allocated. A round has a seed of its own, for the order of the texts and the adapter's first weights; all engines
of a round have the same.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from train_engines import APART, ENGINES, OURS, held_out_loss, train
from train_material import Source, material

from acclimate.core.params import load
from acclimate.model.adapter import load_base, load_tokenizer
from acclimate.model.determinism import fix_randomness
from acclimate.model.training.lora import with_adapter


def main() -> int:
    """Let the engines take turns."""
    import datasets
    import trl  # noqa: F401  # before the forks

    datasets.disable_progress_bars()

    artifacts, tokens, rounds = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    turns = [(data, engine, turn) for turn in range(rounds) for data, engines in ENGINES.items() for engine in engines]
    print(json.dumps([in_a_child(*turn, artifacts=artifacts, tokens=tokens) for turn in turns]))
    return 0


def in_a_child(data: str, engine: str, turn: int, *, artifacts: Path, tokens: int) -> dict[str, Any]:
    """What one engine took in one round."""
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        os.write(write, json.dumps(taken(data, engine, turn, artifacts, tokens)).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        told = answer.read()
    _, status, usage = os.wait4(child, 0)
    assert status == 0, f"{engine} failed on {data}"
    found: dict[str, Any] = json.loads(told)
    return {"data": data, "engine": engine, "round": turn, **found, "peak_rss_mb": usage.ru_maxrss * 1024 / 1e6}


def taken(data: str, engine: str, turn: int, artifacts: Path, tokens: int) -> dict[str, Any]:
    """Train, and measure what came of it on texts that nobody was trained on."""
    params = load(Path("params.yaml"))
    common = params.common.model_copy(update={"seed": params.common.seed + turn})
    fix_randomness(common)
    given = material(data, Source(params, artifacts, tokens, common.seed))
    tokenizer = load_tokenizer(artifacts / "base")
    model = with_adapter(load_base(artifacts / "base"), params.training)
    clock = train(engine, model, tokenizer, given, params)
    ours, theirs = given.padding()
    return {
        "tokens": given.ours.tokens,
        "steps": clock.steps,
        "padding": ours if engine in {OURS, APART} else theirs,
        "wall_s": clock.wall[-1] - clock.wall[0],
        "cpu_s": clock.cpu[-1] - clock.cpu[0],
        "held_out_loss": held_out_loss(model, given.held_out),
    }


if __name__ == "__main__":
    sys.exit(main())
