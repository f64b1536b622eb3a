r"""Train the adapter: LoRA on every linear layer, on the mix, in the mix's own order.

    artifacts/mix/train.jsonl  {"id": "9f2c…", "kind": "domain_documents", "text": "numpy.argsort\n\n…"}
    artifacts/train/           adapter_model.safetensors, adapter_config.json

transformers' Trainer does the steps; one step sees batch × sequence tokens of packed text.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from acclimate.core.errors import UserError
from acclimate.core.files import read_json, read_jsonl, sha256, write_json
from acclimate.core.progress import progress
from acclimate.model.adapter import CONFIG, WEIGHTS, forget_gptq, load_base, load_tokenizer
from acclimate.model.determinism import fix_randomness
from acclimate.model.packing import cut, final_loss, stream, thinned, token_ids
from acclimate.model.precision import has_bfloat16

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from peft import PeftModel
    from transformers import PreTrainedModel

    from acclimate.core.params import CommonParams, TrainParams

BASE_NAME = "artifacts/base"
"""What the adapter says its base is: the same in every checkout and on every machine."""


@dataclass(frozen=True)
class TrainReport:
    """What was trained, on how much, and how the loss fell."""

    strategy: str
    precision: str
    """'bfloat16' (mixed) or 'float32', by what the machine computes faster."""
    trainable_parameters: int
    trainable_share: float
    """Of all parameters, base included (0–1)."""
    texts: int
    dataset_tokens: int
    steps: int
    trained_tokens: int
    epochs: float
    """Passes over the dataset; above 1 the dataset was too small for the steps and was repeated."""
    repeated: bool
    first_loss: float
    final_loss: float
    """Mean over the last tenth of the steps."""
    loss_curve: list[list[float]]
    adapter_sha256: str

    def headline(self) -> str:
        """'loss 4.101 → 2.873 over 120 steps; 425,984 of 4.9 M parameters (8.7 %)'."""
        again = f"; the dataset was repeated, {self.epochs:.1f} epochs" if self.repeated else ""
        return (
            f"loss {self.first_loss:.3f} → {self.final_loss:.3f} over {self.steps:,} steps, "
            f"{self.trained_tokens:,} tokens; {self.trainable_parameters:,} trainable parameters "
            f"({self.trainable_share:.1%}){again}"
        )


def run(params: TrainParams, common: CommonParams, *, base: Path, dataset: Path, out: Path) -> TrainReport:
    """Train an adapter for `base` on `dataset` and write it to `out`.

    Raises:
        UserError: if the dataset is empty, the base is no model, or the loss stops being a number.
    """
    fix_randomness(common)
    ids = token_ids(load_tokenizer(base), _texts(dataset))
    tokens = stream(ids)
    sequences = cut(tokens, (params.steps * params.batch_sequences, params.sequence_tokens))
    model = _with_adapter(load_base(base), params)
    losses = _train(model, sequences, params, common.seed)
    _save(model, out)
    trainable, total = model.get_nb_trainable_parameters()
    return TrainReport(
        strategy=params.strategy,
        precision="bfloat16" if has_bfloat16(model.device) else "float32",
        trainable_parameters=trainable,
        trainable_share=round(trainable / total, 6),
        texts=len(ids),
        dataset_tokens=len(tokens),
        steps=len(losses),
        trained_tokens=sequences.size,
        epochs=round(sequences.size / len(tokens), 3),
        repeated=sequences.size > len(tokens),
        first_loss=round(losses[0], 4),
        final_loss=final_loss(losses),
        loss_curve=thinned(losses),
        adapter_sha256=sha256(out / WEIGHTS),
    )


def _texts(dataset: Path) -> list[str]:
    texts = [row["text"] for row in read_jsonl(dataset)]
    if not texts:
        raise UserError(
            f"{dataset} holds no text",
            why="there is nothing to train on",
            fix="raise mix.kilobytes in params.yaml, and see reports/mix.json for what was left out",
        )
    return texts


def _with_adapter(model: PreTrainedModel, params: TrainParams) -> PeftModel:
    """The base, frozen, with a fresh adapter on every linear layer but the output."""
    from peft import LoraConfig, TaskType, get_peft_model

    config = LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        r=params.rank,
        lora_alpha=params.alpha,
        lora_dropout=params.dropout,
        target_modules="all-linear",
        use_rslora=params.strategy == "rslora",
        use_dora=params.strategy == "dora",
    )
    forget_gptq()
    return get_peft_model(model, config)


def _train(model: PeftModel, sequences: NDArray[np.int64], params: TrainParams, seed: int) -> list[float]:
    """Train in place; the loss of every step, in order."""
    import torch
    from transformers import PrinterCallback, Trainer, TrainingArguments

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    watch = _loss_watch(params.steps)
    with TemporaryDirectory() as scratch:
        arguments = TrainingArguments(
            output_dir=scratch,
            max_steps=params.steps,
            per_device_train_batch_size=params.batch_sequences,
            learning_rate=params.learning_rate,
            lr_scheduler_type=params.schedule,
            warmup_steps=math.ceil(params.warmup_share * params.steps),
            weight_decay=0.0,
            bf16=has_bfloat16(device),
            use_cpu=device.type == "cpu",
            seed=seed,
            train_sampling_strategy="sequential",
            save_strategy="no",
            logging_steps=1,
            logging_nan_inf_filter=False,
            report_to="none",
            disable_tqdm=True,
        )
        # Trainer's rows are dicts of tensors; the labels are the inputs, the model shifts them itself.
        rows = [{"input_ids": row, "labels": row} for row in torch.from_numpy(sequences)]
        trainer = Trainer(model=model, args=arguments, train_dataset=rows, callbacks=[watch])
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    assert len(watch.losses) == params.steps, f"{len(watch.losses)} losses for {params.steps} steps"
    _require_numbers(model, params.steps)
    return list(watch.losses)


def _loss_watch(steps: int) -> Any:
    """A Trainer callback that keeps every step's loss, shows it, and stops at the first that is no number."""
    from transformers import TrainerCallback

    class LossWatch(TrainerCallback):  # type: ignore[misc]  # transformers is untyped
        def __init__(self) -> None:
            self.losses: list[float] = []
            self.bar = progress(range(steps), "training", unit="step")

        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **_: Any) -> None:
            if "loss" in logs:
                self.losses.append(logs["loss"])
                self.bar.set_postfix(loss=f"{logs['loss']:.3f}", refresh=False)
                self.bar.update()
                _require_number(logs["loss"], state.global_step)

        def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.bar.close()

    return LossWatch()


def _require_number(loss: float, step: int) -> None:
    if not math.isfinite(loss):
        raise UserError(
            f"the training loss became {loss} at step {step}",
            why="every weight after it would be nonsense",
            fix="lower train.learning_rate in params.yaml, or raise train.warmup_share",
        )


def _require_numbers(model: PeftModel, step: int) -> None:
    """The last step's loss was computed before its update: look at the weights themselves."""
    for weight in model.parameters():
        if weight.requires_grad:
            _require_number(float(weight.detach().sum()), step)


def _save(model: PeftModel, out: Path) -> None:
    """Write the adapter in peft's own format, without its model card, paths or the order of a Python set."""
    model.save_pretrained(str(out), save_embedding_layers=False)
    (out / "README.md").unlink()
    config = read_json(out / CONFIG)
    config["base_model_name_or_path"] = BASE_NAME
    # peft lists the modules of a shallow model in full, and would then fit the adapter to any deeper one.
    config["target_modules"] = sorted({name.rpartition(".")[2] for name in config["target_modules"]})
    write_json(out / CONFIG, config)
