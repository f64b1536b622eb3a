"""One round of one engine for bench/train.py; prints {"tokens", "wall_s", "cpu_s", "final_loss"} as its last line.

python bench/train_once.py ENGINE ARTIFACTS STEPS
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import Trainer, TrainerCallback, TrainingArguments

from acclimate.core.params import Params, load
from acclimate.model.adapter import load_base, load_tokenizer
from acclimate.model.determinism import fix_randomness
from acclimate.model.train_domain import KINDS
from acclimate.model.training.batches import Batches, Shape, packed_stream
from acclimate.model.training.loop import Dials, fit
from acclimate.model.training.lora import with_adapter
from acclimate.model.training.losses import of_tokens
from acclimate.model.training.texts import documents, read_rows


@dataclass
class Clock(TrainerCallback):  # type: ignore[misc]  # transformers is untyped here
    """From the beginning of the first step to the end of the last, and the loss of every step."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)

    def tick(self) -> None:
        """Now."""
        self.wall.append(time.perf_counter())
        self.cpu.append(time.process_time())

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        """Before the first step."""
        self.tick()

    def on_train_end(self, *_: Any, **__: Any) -> None:
        """After the last step."""
        self.tick()

    def on_log(self, *_: Any, logs: dict[str, float], **__: Any) -> None:
        """The loss, where the line has one."""
        if "loss" in logs:
            self.losses.append(float(logs["loss"]))


def main() -> int:
    """Train, and print what it took."""
    engine, artifacts, steps = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    params = load(Path("params.yaml"))
    fix_randomness(params.common)
    batches = rows_of(params, artifacts, steps)
    model = with_adapter(load_base(artifacts / "base"), params.training)
    clock = Clock()
    if engine == "acclimate":
        ours(model, batches, params, clock)
    else:
        theirs(engine, model, batches, params, clock)
    tail = clock.losses[-max(1, steps // 4) :]
    found = {
        "tokens": batches.ids.size,
        "wall_s": clock.wall[-1] - clock.wall[0],
        "cpu_s": clock.cpu[-1] - clock.cpu[0],
        "final_loss": sum(tail) / len(tail),
    }
    print(json.dumps(found))
    return 0


def rows_of(params: Params, artifacts: Path, steps: int) -> Batches:
    """The first steps of what train_domain reads."""
    stage = params.train_domain
    examples = documents(load_tokenizer(artifacts / "base"), read_rows(artifacts / "mix/train.jsonl", KINDS))
    return packed_stream(examples, Shape(steps, stage.batch_sequences, stage.sequence_tokens))


def ours(model: PeftModel, batches: Batches, params: Params, clock: Clock) -> None:
    """The loop of both train stages."""
    stage = params.train_domain
    dials = Dials("train_domain", stage.learning_rate, "cosine", 0, stage.batch_sequences)
    objective = of_tokens(model, batches, separate=False)
    clock.tick()
    clock.losses += fit(model, objective, dials).losses
    clock.tick()


def theirs(engine: str, model: PeftModel, batches: Batches, params: Params, clock: Clock) -> None:
    """Transformers' Trainer, or TRL's SFTTrainer, on the same rows in the same order."""
    stage = params.train_domain
    rows = [row for step in batches.ids.tolist() for row in step]
    with tempfile.TemporaryDirectory() as folder:
        same: dict[str, Any] = {
            "output_dir": folder,
            "per_device_train_batch_size": stage.batch_sequences,
            "max_steps": len(batches.ids),
            "learning_rate": stage.learning_rate,
            "lr_scheduler_type": "cosine",
            "logging_steps": 1,
            "save_strategy": "no",
            "report_to": "none",
            "disable_tqdm": True,
            "use_cpu": not torch.cuda.is_available(),
        }
        if engine == "Trainer":
            data: Any = [{"input_ids": row, "labels": row} for row in rows]
            trainer: Any = Sequential(model=model, args=TrainingArguments(**same), train_dataset=data)
        else:
            trainer = supervised(engine, model, rows, same)
        trainer.add_callback(clock)
        trainer.train()


class Sequential(Trainer):  # type: ignore[misc]
    """Trainer that reads its rows in the order given."""

    def _get_train_sampler(self, *_: Any, **__: Any) -> Any:
        return torch.utils.data.SequentialSampler(self.train_dataset)


def supervised(engine: str, model: PeftModel, rows: list[list[int]], same: dict[str, Any]) -> Any:
    """TRL's SFTTrainer, which takes tokens as they are."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    class InOrder(SFTTrainer):  # type: ignore[misc]
        def _get_train_sampler(self, *_: Any, **__: Any) -> Any:
            return torch.utils.data.SequentialSampler(self.train_dataset)

    changed = {"gradient_checkpointing": False} if "without" in engine else {}
    config = SFTConfig(**same, max_length=len(rows[0]), bf16=False, **changed)
    data = Dataset.from_dict({"input_ids": rows})
    return InOrder(model, args=config, train_dataset=data, processing_class=load_tokenizer(Path(sys.argv[2]) / "base"))


if __name__ == "__main__":
    sys.exit(main())
