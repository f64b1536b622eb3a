"""Ways to make one adapter of a domain adapter and a task adapter, and what each of them can do.

    python bench/composing.py [--artifacts artifacts]      # writes bench/results/composing.json and .md

reads the base, the training set and the evaluation items of a finished run. The stages train_domain, train_task
(upon the domain adapter, and on the bare base) and compose run as in the pipeline, for fewer steps; every composed
adapter is merged and scored on the items of bench/forgetting.py.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forgetting import ITEMS, subset
from results_file import Goal, Outcome, at_most, write

from acclimate.core.files import write_json
from acclimate.core.params import ComposeParams, Params, load
from acclimate.model import compose, train_domain, train_task
from acclimate.model.adapter import load_adapted, load_tokenizer
from acclimate.model.score import CLOZE_TASKS, TEXT_TASKS, score
from acclimate.model.training.report import OFF

STEPS = {"train_domain": 60, "train_task": 30}
BATCH = 4
HALF = {"domain_weight": 0.5, "task_weight": 0.5}
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "domain alone": ("off", {}),
    "sequential": ("domain", {}),
    "stacked": ("base", {}),
    "weighted, cat ½ + ½": ("base", HALF),
    "weighted, linear": ("base", {"combination": "linear"}),
    "weighted, ties": ("base", {"combination": "ties"}),
    "weighted, dare": ("base", {"combination": "dare", "density": 0.9}),
}
"""Name to what the task adapter was trained upon, and what is changed in the section compose."""


@dataclass(frozen=True)
class Composed:
    """One composed adapter, merged and scored."""

    method: str
    rank: int | None
    kept_share: float
    logit_difference: float
    domain_cloze: float
    general_cloze: float
    domain_bits_per_byte: float
    general_bits_per_byte: float


def main() -> int:
    """Train, compose every way, score and write the result."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--artifacts", type=Path, default=Path("artifacts"))
    artifacts = arguments.parse_args().artifacts
    params = shortened(load(Path("params.yaml")))
    evaluation = subset(artifacts / "split/evaluation")
    with tempfile.TemporaryDirectory() as name:
        adapters = trained(params, artifacts, Path(name))
        rows = [row(method, params, artifacts, adapters, evaluation) for method in VARIANTS]
    said = (
        f"{STEPS['train_domain']} steps of the domain and {STEPS['train_task']} of the task adapter, {BATCH} sequences "
        f"each, one seed; {ITEMS['cloze']} cloze items and {ITEMS['text']} texts per task"
    )
    versions = {package: importlib.metadata.version(package) for package in ("torch", "transformers", "peft")}
    write("composing", Outcome({"said": said, "seed": params.common.seed}, versions, rows, goals(rows)))
    return 0


def shortened(params: Params) -> Params:
    """params.yaml with the steps of this benchmark."""
    short = {
        stage: params.section(stage).model_copy(update={"enabled": True, "steps": steps, "batch_sequences": BATCH})
        for stage, steps in STEPS.items()
    }
    return params.model_copy(update=short)


def trained(params: Params, artifacts: Path, folder: Path) -> dict[str, Path]:
    """The domain adapter and, by what they were trained upon, the task adapters."""
    base, dataset = artifacts / "base", artifacts / "mix/train.jsonl"
    adapters = {name: folder / name for name in ("off", "train_domain", "domain", "base")}
    for path in adapters.values():
        path.mkdir()
    write_json(adapters["off"] / OFF, {"off": "left out here"})
    out, general = adapters["train_domain"], artifacts / "decontaminate/general.parquet"
    training, common, given = params.training, params.common, {"base": base, "dataset": dataset}
    checkpoints = folder / "checkpoints"
    train_domain.run(
        params.train_domain, training, common, **given, general=general, out=out, checkpoints=checkpoints / "domain"
    )
    for start in ("domain", "base"):
        task = params.train_task.model_copy(update={"start_from": start})
        train_task.run(
            task, training, common, **given, domain=out, out=adapters[start], checkpoints=checkpoints / start
        )
    return adapters


def row(method: str, params: Params, artifacts: Path, adapters: dict[str, Path], evaluation: Path) -> Composed:
    """Compose as the stage does, and score what it wrote."""
    start, changes = VARIANTS[method]
    plain: dict[str, Any] = {"combination": "cat", "domain_weight": 1.0, "task_weight": 1.0, "density": 0.5}
    base, dataset = artifacts / "base", artifacts / "mix/train.jsonl"
    task = params.train_task.model_copy(update={"start_from": "base" if start == "off" else start})
    with tempfile.TemporaryDirectory() as name:
        out = Path(name)
        report = compose.run(
            *(ComposeParams.model_validate({**plain, **changes}), task, params.common),
            base=base,
            domain=adapters["train_domain"],
            task=adapters[start],
            align=adapters["off"],
            dataset=dataset,
            out=out,
        )
        tasks = score(
            load_adapted(base, out), load_tokenizer(base), evaluation, params.score, out, seed=params.common.seed
        )
    print(report.headline(), flush=True)
    cloze = [tasks[task]["accuracy"] for task in CLOZE_TASKS]
    bits = [tasks[task]["bits_per_byte"] for task in TEXT_TASKS]
    return Composed(method, report.rank, report.kept_share, float(f"{report.merged.logits:.2g}"), *cloze, *bits)


def goals(rows: list[Composed]) -> list[Goal]:
    """Every composed adapter merges into what it stands for."""
    return [at_most("largest difference of a logit, merged or beside", 1e-3, max(row.logit_difference for row in rows))]


if __name__ == "__main__":
    sys.exit(main())
