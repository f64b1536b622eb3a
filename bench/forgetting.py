"""What keeps general ability while a model learns a domain: replay, EWC or L2-SP, beside a frozen base.

    python bench/forgetting.py [--artifacts artifacts] [--minutes 7]

reads the base, the decontaminated texts and the evaluation items of a finished run. Every variant is the stage
train_domain with the dials of params.yaml but for its own, STEPS steps and one thread; all read the same number of
tokens, so replay takes the place of domain text. A seed draws the texts, their order and the adapter's first weights.
Measured are bits per byte of held-out texts: at this size the term cloze tells no two variants apart.
Runs are appended to bench/.inputs/forgetting.jsonl as they finish: what was stopped goes on where it was when it is
called again. Once all are there, bench/results/forgetting.json and .md.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import math
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from results_file import Goal, Outcome, at_least, at_most, write

from acclimate.core.files import read_jsonl, write_jsonl
from acclimate.core.params import Params, ScoreParams, load
from acclimate.data import mix
from acclimate.model import train_domain
from acclimate.model.adapter import load_adapted, load_base, load_tokenizer
from acclimate.model.determinism import fix_randomness
from acclimate.model.harness import language_model
from acclimate.model.score import TASKS, TEXT_TASKS, score_with

SCRATCH = Path(__file__).parent / ".inputs"
RUNS = SCRATCH / "forgetting.jsonl"
SEEDS = (1, 2, 3)
STEPS = 30
"""A fifth of the stage's own: what the machine at hand finished for every variant and seed."""
ITEMS = {"cloze": 200, "text": 75}
"""Of each task, evenly from all; the cloze items are read by bench/composing.py alone."""
REFERENCE = "replay 33 %"
"""As params.yaml has it: of the bytes that train_domain reads of the mix, a third is general text."""


@dataclass(frozen=True)
class Variant:
    """One way to train."""

    name: str
    replay: float
    """Share of the bytes that train_domain reads (0–1)."""
    dials: dict[str, Any] = field(default_factory=dict)
    """Of the section train_domain, other than params.yaml has them."""


def _ewc(weight: float) -> dict[str, Any]:
    return {"penalty": "ewc", "penalty_weight": weight}


DEFAULT = 1 / 3
VARIANTS = (
    Variant(REFERENCE, DEFAULT),
    Variant("no replay", 0.0),
    Variant("EWC 10", 0.0, _ewc(10.0)),
    Variant("L2-SP 0.01", 0.0, {"penalty": "l2_sp", "penalty_weight": 0.01}),
)
"""In the order in which they are run; all keep the base frozen beside an adapter.

A replay whose share rises or falls is not among them: of its order, which is that of the whole mix, so few steps would
read the beginning alone.
"""


@dataclass(frozen=True)
class Kept:
    """A variant over the seeds: means, and standard deviations between seeds."""

    variant: str
    seeds: int
    domain_bits_per_byte: float
    domain_bits_sd: float | None
    general_bits_per_byte: float
    general_bits_sd: float | None
    domain_gain: float | None
    """Bits per byte of domain text fewer than the reference's with the same seeds; below 0 is worse."""
    domain_gain_sd: float | None
    general_gain: float | None
    general_gain_sd: float | None
    net: float | None
    """Both gains together: what is better than the reference by the sum of bits, domain and general weighed alike."""
    net_sd: float | None
    train_cpu_s: float


def main() -> int:
    """Do what is still to be done, for as long as allowed; write the result when all is there."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--artifacts", type=Path, default=Path("artifacts"))
    arguments.add_argument("--minutes", type=float, default=math.inf, help="start no further run after so long")
    given = arguments.parse_args()
    begun = time.monotonic()
    SCRATCH.mkdir(exist_ok=True)
    evaluation = subset(given.artifacts / "split/evaluation")
    wanted = [(None, SEEDS[0]), *((variant, seed) for variant in VARIANTS for seed in SEEDS)]
    for variant, seed in wanted:
        if (name_of(variant), seed) in {(run["variant"], run["seed"]) for run in finished()}:
            continue
        if time.monotonic() - begun > given.minutes * 60:
            return 75  # EX_TEMPFAIL: call again
        run = one_run(variant, seed, given.artifacts, evaluation)
        print(json.dumps(run), flush=True)
        with RUNS.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(run) + "\n")
    write("forgetting", outcome(finished()))
    return 0


def name_of(variant: Variant | None) -> str:
    """Of the base there is one run, and nothing is trained in it."""
    return "base" if variant is None else variant.name


def finished() -> list[dict[str, Any]]:
    """The runs that are done."""
    return read_jsonl(RUNS) if RUNS.exists() else []


def subset(evaluation: Path) -> Path:
    """A copy of the evaluation items with ITEMS of each task."""
    out = SCRATCH / "forgetting_evaluation"
    for task in TASKS:
        rows = read_jsonl(evaluation / f"{task}.jsonl")
        places = np.linspace(0, len(rows) - 1, min(len(rows), ITEMS[task.partition("_")[2]])).round().astype(int)
        write_jsonl(out / f"{task}.jsonl", [rows[place] for place in places])
    return out


def one_run(variant: Variant | None, seed: int, artifacts: Path, evaluation: Path) -> dict[str, Any]:
    """Train a variant (or nothing, for the base) and score it."""
    params = load(Path("params.yaml"))
    common = params.common.model_copy(update={"seed": seed, "threads": 1})
    params = params.model_copy(update={"common": common})
    fix_randomness(common)
    begun = time.process_time()
    base = artifacts / "base"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        loss = None if variant is None else trained(variant, params, artifacts, folder)
        model = load_base(base) if variant is None else load_adapted(base, folder / "out")
        done = time.process_time()
        plain = ScoreParams(batch_items=16, max_items=None)
        asked = language_model(model, load_tokenizer(base), plain.batch_items)
        found = score_with(asked, evaluation, plain, folder / "scored", seed=seed, names=TEXT_TASKS)
    values = {task: found[task]["bits_per_byte"] for task in TEXT_TASKS}
    seconds = {"train_cpu_s": done - begun, "score_cpu_s": time.process_time() - done}
    rounded = {part: round(value, 1) for part, value in seconds.items()}
    return {"variant": name_of(variant), "seed": seed, **values, "final_loss": loss, **rounded}


def trained(variant: Variant, params: Params, artifacts: Path, folder: Path) -> float:
    """Leave what the variant makes of the base in `folder`/out, and return its final loss."""
    texts, out, mixed = artifacts / "decontaminate", folder / "out", folder / "mix"
    out.mkdir()
    mixed.mkdir()
    read = params.mix.domain_documents + params.mix.general_replay
    shares = {"general_replay": read * variant.replay, "domain_documents": read * (1 - variant.replay)}
    mix_params = params.mix.model_copy(update=shares)
    mix.run(mix_params, params.common, domain=texts / "domain.parquet", general=texts / "general.parquet", out=mixed)
    report = train_domain.run(
        params.train_domain.model_copy(update={"steps": STEPS, **variant.dials}),
        params.training,
        params.common,
        base=artifacts / "base",
        dataset=mixed / "train.jsonl",
        general=texts / "general.parquet",
        out=out,
        checkpoints=folder / "checkpoints",
    )
    assert report.trained is not None
    return report.trained.final_loss


def outcome(runs: Sequence[dict[str, Any]]) -> Outcome:
    """Rows per variant, goals, and every single run."""
    rows = [kept(name, runs) for name in ("base", *(variant.name for variant in VARIANTS))]
    stage = load(Path("params.yaml")).train_domain
    said = (
        f"{STEPS} steps of {stage.batch_sequences} × {stage.sequence_tokens} tokens on the embedded base, "
        f"{len(SEEDS)} seeds; {ITEMS['text']} held-out texts per task"
    )
    given = {"said": said}
    variants = [asdict(variant) for variant in VARIANTS]
    versions = {package: importlib.metadata.version(package) for package in ("torch", "transformers", "peft")}
    return Outcome(given, versions, rows, goals(rows), {"variants": variants, "runs": list(runs)})


def kept(name: str, runs: Sequence[dict[str, Any]]) -> Kept:
    """One variant over its seeds, beside the reference."""
    own = {run["seed"]: run for run in runs if run["variant"] == name}
    reference = {run["seed"]: run for run in runs if run["variant"] == REFERENCE}

    def over(task: str) -> tuple[float, float | None]:
        return mean_sd([run[task] for run in own.values()])

    def gain(*tasks: str) -> tuple[float | None, float | None]:
        if name == "base":
            return None, None
        return mean_sd([sum(reference[seed][task] - own[seed][task] for task in tasks) for seed in own])

    return Kept(
        name,
        len(own),
        *over("domain_text"),
        *over("general_text"),
        *gain("domain_text"),
        *gain("general_text"),
        *gain(*TEXT_TASKS),
        over("train_cpu_s")[0],
    )


def mean_sd(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and standard deviation of a sample; of a single value there is no deviation."""
    return round(float(np.mean(values)), 4), round(float(np.std(values, ddof=1)), 4) if len(values) > 1 else None


def goals(rows: Sequence[Kept]) -> list[Goal]:
    """What the default must do."""
    better = [row.variant for row in rows if (row.domain_gain or 0) > 0 and (row.general_gain or 0) > 0]
    return [
        at_least("seeds of every variant", 3, min(row.seeds for row in rows if row.variant != "base")),
        at_most("variants with fewer bits than the default in both columns", 0, len(better)),
    ]


if __name__ == "__main__":
    sys.exit(main())
