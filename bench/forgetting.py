"""What keeps general ability while a model learns a domain: replay, EWC, L2-SP, progressive mixing, a frozen base.

    python bench/forgetting.py [--artifacts artifacts] [--minutes 7]

reads the base, the decontaminated texts and the evaluation items of a finished run. Every variant is trained
on the same number of tokens, so replay takes the place of domain text; a seed draws the texts, their order and
the adapter's first weights. Runs are appended to bench/.inputs/forgetting.jsonl as they finish: what was
stopped goes on where it was when it is called again. Once all are there, bench/results/forgetting.json and .md.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import math
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from results_file import Goal, Outcome, at_least, write
from scipy.stats import t as student

from acclimate.core.files import read_jsonl, read_parquet, write_jsonl
from acclimate.core.params import CommonParams, MixParams, ScoreParams
from acclimate.data import mix
from acclimate.model.adapter import forget_gptq, load_base, load_tokenizer
from acclimate.model.determinism import fix_randomness
from acclimate.model.forgetting.fisher import SHARE, diagonal_fisher
from acclimate.model.forgetting.penalties import changes_of, ewc, l2_sp
from acclimate.model.forgetting.replay_order import progressive
from acclimate.model.packing import cut, stream, token_ids
from acclimate.model.score import CLOZE_TASKS, TEXT_TASKS, score

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

SCRATCH = Path(__file__).parent / ".inputs"
RUNS = SCRATCH / "forgetting.jsonl"
SEEDS = (1, 2, 3)
STEPS, BATCH, TOKENS = 50, 4, 256
RANK, ALPHA, LEARNING_RATE = 16, 32, 0.008
ITEMS = {"cloze": 200, "text": 75}
"""Of each task, evenly from all: the smallest numbers at which the machine at hand finished."""
REFERENCE = "replay 20 %"
TASKS = (*CLOZE_TASKS, *TEXT_TASKS)


@dataclass(frozen=True)
class Variant:
    """One way to train."""

    name: str
    replay: float = 0.0
    """Share of the training bytes (0–1)."""
    order: str = "even"
    penalty: str = "none"
    weight: float = 0.0
    full: bool = False
    """All weights instead of an adapter."""
    learning_rate: float = LEARNING_RATE


VARIANTS = (
    Variant("no replay"),
    Variant("replay 10 %", 0.1),
    Variant("replay 20 %", 0.2),
    Variant("replay 40 %", 0.4),
    Variant("replay 20 %, rising", 0.2, order="rising"),
    Variant("EWC 1", penalty="ewc", weight=1.0),
    Variant("EWC 10", penalty="ewc", weight=10.0),
    Variant("EWC 100", penalty="ewc", weight=100.0),
    Variant("L2-SP 0.01", penalty="l2_sp", weight=0.01),
    Variant("replay 20 %, EWC 10", 0.2, penalty="ewc", weight=10.0),
    Variant("full, no replay", full=True, learning_rate=0.001),
)


@dataclass(frozen=True)
class Kept:
    """A variant over the seeds: means, and 95 % intervals of Student's t over the seeds."""

    variant: str
    seeds: int
    domain_cloze: float
    domain_cloze_interval: list[float]
    general_cloze: float
    general_cloze_interval: list[float]
    domain_bits_per_byte: float
    domain_bits_interval: list[float]
    general_bits_per_byte: float
    general_bits_interval: list[float]
    domain_gain: float | None
    """Bits per byte of domain text fewer than the reference's, over the seeds that both have; below 0 is worse."""
    general_gain: float | None
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
    wanted = [(variant, seed) for seed in SEEDS for variant in (None, *VARIANTS) if variant or seed == SEEDS[0]]
    for variant, seed in wanted:
        if ("base" if variant is None else variant.name, seed) in {(run["variant"], run["seed"]) for run in finished()}:
            continue
        if time.monotonic() - begun > given.minutes * 60:
            return 75  # EX_TEMPFAIL: call again
        run = one_run(variant, seed, given.artifacts, evaluation)
        print(json.dumps(run), flush=True)
        with RUNS.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(run) + "\n")
    write("forgetting", outcome(finished()))
    return 0


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
    fix_randomness(CommonParams(seed=seed, threads=1, min_free_disk_mb=0))
    begun = time.process_time()
    losses: list[float] = []
    if variant is None:
        model = load_base(artifacts / "base")
    else:
        model, losses = adapted(variant, seed, artifacts)
    trained = time.process_time()
    tokenizer = load_tokenizer(artifacts / "base")
    with tempfile.TemporaryDirectory() as out:
        tasks = score(model, tokenizer, evaluation, ScoreParams(batch_items=16, max_items=None), Path(out), seed=seed)
    values = {task: tasks[task]["accuracy" if task in CLOZE_TASKS else "bits_per_byte"] for task in TASKS}
    seconds = {"train_cpu_s": trained - begun, "score_cpu_s": time.process_time() - trained}
    name = "base" if variant is None else variant.name
    rounded = {part: round(value, 1) for part, value in seconds.items()}
    return {"variant": name, "seed": seed, **values, "loss": losses[-5:], **rounded}


def adapted(variant: Variant, seed: int, artifacts: Path) -> tuple[Any, list[float]]:
    """The base after the variant's training, an adapter merged into it, and the loss of every step."""
    import torch
    from peft import LoraConfig, TaskType, get_peft_model

    sequences = torch.from_numpy(training_sequences(variant, seed, artifacts))
    model = load_base(artifacts / "base")
    if variant.full:
        return model, train(model, sequences, variant, lambda: torch.zeros(()))
    forget_gptq()
    linear = LoraConfig(task_type=TaskType.CAUSAL_LM, r=RANK, lora_alpha=ALPHA, target_modules="all-linear")
    with_adapter = get_peft_model(model, linear)
    losses = train(with_adapter, sequences, variant, penalty(with_adapter, variant, artifacts))
    return with_adapter.merge_and_unload(), losses


def training_sequences(variant: Variant, seed: int, artifacts: Path) -> NDArray[np.int64]:
    """[steps × batch, tokens] from domain documents and the variant's share of general text."""
    params = MixParams(
        strategy="static_balanced",
        domain_documents=1 - variant.replay,
        domain_questions=0.0,
        general_replay=variant.replay,
        diverse=False,
        balance_difficulty=False,
        kilobytes=round(STEPS * BATCH * TOKENS * 2.9 / 1000),
        max_document_characters=1200,
        bytes_per_token=2.9,
    )
    common = CommonParams(seed=seed, threads=1, min_free_disk_mb=0)
    with tempfile.TemporaryDirectory() as name:
        texts = artifacts / "decontaminate"
        out = Path(name)
        mix.run(params, common, domain=texts / "domain.parquet", general=texts / "general.parquet", out=out)
        rows = read_jsonl(out / "train.jsonl")
    ids = token_ids(load_tokenizer(artifacts / "base"), [row["text"] for row in rows])
    if variant.order == "rising":
        replayed = np.array([row["kind"] == "general_replay" for row in rows])
        ids = [ids[place] for place in progressive(replayed, np.array([len(text) for text in ids]), "rising")]
    return cut(stream(ids), (STEPS * BATCH, TOKENS))


def penalty(model: Any, variant: Variant, artifacts: Path) -> Callable[[], torch.Tensor]:
    """What the variant adds to the loss, from the adapter as it is when called."""
    import torch

    if variant.penalty == "ewc":
        fisher = cached_fisher(model, artifacts)
        return lambda: ewc(changes_of(model), fisher, variant.weight)
    if variant.penalty == "l2_sp":
        return lambda: l2_sp(changes_of(model), variant.weight)
    return lambda: torch.zeros(())


def cached_fisher(model: Any, artifacts: Path) -> dict[str, torch.Tensor]:
    """The Fisher information on a tenth of the general text, the same for every run."""
    import torch
    from safetensors.torch import load_file, save_file

    path = SCRATCH / "forgetting_fisher.safetensors"
    if not path.exists():
        texts = read_parquet(artifacts / "decontaminate/general.parquet").column("text").to_pylist()
        every = round(1 / SHARE)
        tokens = stream(token_ids(load_tokenizer(artifacts / "base"), texts[::every]))
        sequences = torch.from_numpy(cut(tokens, (len(tokens) // TOKENS, TOKENS)))
        save_file(diagonal_fisher(model, sequences, seed=0), path)
    return dict(load_file(path))


def train(model: Any, sequences: torch.Tensor, variant: Variant, extra: Callable[[], torch.Tensor]) -> list[float]:
    """Train in place with AdamW, a cosine schedule and gradients clipped to norm 1; the loss of every step."""
    import torch
    from transformers import get_cosine_schedule_with_warmup

    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=variant.learning_rate, weight_decay=0.0, fused=True)
    schedule = get_cosine_schedule_with_warmup(optimizer, math.ceil(0.05 * STEPS), STEPS)
    losses = []
    model.train()
    for ids in sequences.view(STEPS, BATCH, TOKENS):
        loss = model(input_ids=ids, labels=ids).loss
        (loss + extra()).backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(round(loss.item(), 4))
    model.eval()
    return losses


def outcome(runs: Sequence[dict[str, Any]]) -> Outcome:
    """Rows per variant, goals, and every single run."""
    done = {run["variant"] for run in runs}
    rows = [kept(name, runs) for name in ("base", *(variant.name for variant in VARIANTS)) if name in done]
    said = (
        f"{STEPS} steps of {BATCH * TOKENS:,} tokens on the embedded base, up to {len(SEEDS)} seeds; "
        f"{ITEMS['cloze']} cloze items and {ITEMS['text']} texts per task"
    )
    given = {"said": said, "rank": RANK, "alpha": ALPHA, "learning_rate": LEARNING_RATE}
    variants = [asdict(variant) for variant in VARIANTS]
    versions = {package: importlib.metadata.version(package) for package in ("torch", "transformers", "peft")}
    return Outcome(given, versions, rows, goals(rows), {"variants": variants, "runs": list(runs)})


def kept(name: str, runs: Sequence[dict[str, Any]]) -> Kept:
    """One variant over its seeds, beside the reference."""
    own = {run["seed"]: run for run in runs if run["variant"] == name}
    reference = {run["seed"]: run for run in runs if run["variant"] == REFERENCE}

    def mean(task: str) -> float:
        return round(float(np.mean([run[task] for run in own.values()])), 4)

    def gain(task: str) -> float | None:
        apart = [reference[seed][task] - run[task] for seed, run in own.items() if seed in reference]
        return round(float(np.mean(apart)), 4) if apart else None

    return Kept(
        name,
        len(own),
        *(mean("domain_cloze"), interval([run["domain_cloze"] for run in own.values()])),
        *(mean("general_cloze"), interval([run["general_cloze"] for run in own.values()])),
        *(mean("domain_text"), interval([run["domain_text"] for run in own.values()])),
        *(mean("general_text"), interval([run["general_text"] for run in own.values()])),
        gain("domain_text"),
        gain("general_text"),
        mean("train_cpu_s"),
    )


def interval(values: Sequence[float]) -> list[float]:
    """95 % interval of the mean over the seeds, Student's t; empty for a single value."""
    if len(values) < 2:
        return []
    half = float(student.ppf(0.975, len(values) - 1)) * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return [round(float(np.mean(values)) - half, 4), round(float(np.mean(values)) + half, 4)]


def goals(rows: Sequence[Kept]) -> list[Goal]:
    """What the default must do."""
    by_name = {row.variant: row for row in rows}
    base, default = by_name["base"], by_name[REFERENCE]
    return [
        at_least("seeds of every variant", 3, min(row.seeds for row in rows if row.variant != "base")),
        at_least("general cloze kept by the default, of the base's", 0.9, default.general_cloze / base.general_cloze),
    ]


if __name__ == "__main__":
    sys.exit(main())
