"""The trainers that bench/train.py compares: our loop, transformers' Trainer, TRL's SFTTrainer.

    clock = train("Trainer", model, tokenizer, material, params)      # model is trained in place
    clock.wall[-1] - clock.wall[0]

All take the same kind of AdamW, the same peak learning rate and the same cosine. What else Trainer and SFTTrainer do
is their default; SFTTrainer's includes gradient checkpointing, which trades time for memory.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from train_material import Material, Text
from transformers import DataCollatorForLanguageModeling, Trainer, TrainerCallback, TrainingArguments

from acclimate.model.training.batches import UNLEARNED
from acclimate.model.training.loop import Dials, fit
from acclimate.model.training.losses import TokenLoss, of_tokens

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedTokenizerBase

    from acclimate.core.params import Params

OURS, APART = "acclimate", "acclimate, texts kept apart"
TRAINER, SFT, SFT_WHOLE = "Trainer", "SFTTrainer", "SFTTrainer without checkpointing"
ENGINES = {
    "documents": (OURS, APART, TRAINER),
    "pairs": (OURS, APART, SFT, SFT_WHOLE),
    "blocks": (OURS, TRAINER, SFT, SFT_WHOLE),
}
"""Who trains on which data (train_material.py)."""
READ_AT_ONCE = 16


@dataclass
class Clock(TrainerCallback):  # type: ignore[misc]  # transformers is untyped here
    """From the beginning of the first step to the end of the last: nobody's imports are measured."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    steps: int = 0

    def tick(self) -> None:
        """Now."""
        self.wall.append(time.perf_counter())
        self.cpu.append(time.process_time())

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        """Before the first step."""
        self.tick()

    def on_train_end(self, _: Any, state: Any, *__: Any, **___: Any) -> None:
        """After the last step."""
        self.tick()
        self.steps = state.global_step


def train(
    engine: str, model: PeftModel, tokenizer: PreTrainedTokenizerBase, material: Material, params: Params
) -> Clock:
    """Train the adapter of `model` in place."""
    if engine in {OURS, APART}:
        return _ours(model, material, params, separate=engine == APART)
    return _theirs(engine, model, tokenizer, material, params)


def _ours(model: PeftModel, material: Material, params: Params, *, separate: bool) -> Clock:
    clock, batches = Clock(), material.ours
    dials = Dials("train_domain", params.train_domain.learning_rate, "cosine", 0, batches.ids.shape[1])
    objective = of_tokens(model, batches, separate=separate)
    clock.tick()
    clock.steps = len(fit(model, objective, dials).losses)
    clock.tick()
    return clock


def _theirs(
    engine: str, model: PeftModel, tokenizer: PreTrainedTokenizerBase, material: Material, params: Params
) -> Clock:
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        same: dict[str, Any] = {
            "output_dir": folder,
            "per_device_train_batch_size": material.per_batch,
            "num_train_epochs": 1,
            "learning_rate": params.train_domain.learning_rate,
            "lr_scheduler_type": "cosine",
            "save_strategy": "no",
            "report_to": "none",
            "disable_tqdm": True,
            "use_cpu": not torch.cuda.is_available(),
        }
        make = _trainer if engine == TRAINER else _supervised
        trainer = make(engine, model, tokenizer, material.theirs, same)
        trainer.add_callback(clock)
        trainer.train()
    return clock


def _trainer(
    _: str, model: PeftModel, tokenizer: PreTrainedTokenizerBase, rows: list[Text], same: dict[str, Any]
) -> Any:
    """Pads a batch to its longest text, and gives what it padded no loss."""
    collator = DataCollatorForLanguageModeling(tokenizer, mlm=False)
    data = [{"input_ids": row["input_ids"]} for row in rows]
    return InOrder(model=model, args=TrainingArguments(**same), train_dataset=data, data_collator=collator)


class InOrder(Trainer):  # type: ignore[misc]
    """Trainer that reads its rows in the order given."""

    def _get_train_sampler(self, *_: Any, **__: Any) -> Any:
        return torch.utils.data.SequentialSampler(self.train_dataset)


def _supervised(
    engine: str, model: PeftModel, tokenizer: PreTrainedTokenizerBase, rows: list[Text], same: dict[str, Any]
) -> Any:
    """TRL's, which takes tokens and labels as they are."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    class SupervisedInOrder(SFTTrainer):  # type: ignore[misc]
        def _get_train_sampler(self, *_: Any, **__: Any) -> Any:
            return torch.utils.data.SequentialSampler(self.train_dataset)

    changed = {"gradient_checkpointing": False} if engine == SFT_WHOLE else {}
    longest = max(len(row["input_ids"]) for row in rows)
    # Its default is bfloat16, which a CPU without instructions for it emulates, slower than float32.
    config = SFTConfig(**same, max_length=longest, bf16=False, **changed)
    return SupervisedInOrder(model, args=config, train_dataset=Dataset.from_list(rows), processing_class=tokenizer)


def held_out_loss(model: PeftModel, texts: Sequence[Text]) -> float:
    """Mean loss in nats over the learned tokens of `texts`, each read by itself, whoever trained the model."""
    token_loss = TokenLoss(model.eval())
    total, learned = 0.0, 0
    with torch.no_grad():
        for begin in range(0, len(texts), READ_AT_ONCE):
            part = texts[begin : begin + READ_AT_ONCE]
            ids, labels = (_padded([text[name] for text in part], fill) for name, fill in FILLS)
            total += float(token_loss(ids, labels, None))
            learned += int((labels[:, 1:] != UNLEARNED).sum())
    return total / learned


FILLS = (("input_ids", 0), ("labels", UNLEARNED))


def _padded(rows: Sequence[list[int]], fill: int) -> torch.Tensor:
    longest = max(map(len, rows))
    return torch.tensor([row + [fill] * (longest - len(row)) for row in rows])
