"""Direct preference optimisation (Rafailov et al. 2023) as TRL computes it, for steps that are ours.

    tuning = Tuning(adapted, tokenizer, Exchanges(training, held_out), params, common)
    train(adapted, tuning.objective(), tuning.read("base", files), settings, out=out, checkpoints=checkpoints)
    tuning.margins()                     # of the held-out pairs, after that

TRL's DPOTrainer turns pairs into tokens, works out once how likely the frozen reference finds each answer, and computes
the loss. Its loop is not used: checkpoints of transformers' Trainer are written in several files that a kill can leave
half there, and know nothing of the data they were made with.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from acclimate.model.precision import autocast, has_bfloat16
from acclimate.model.training.adapting import Read
from acclimate.model.training.chat import Pair, Template, turn
from acclimate.model.training.checkpoints import digest
from acclimate.model.training.loop import Objective

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from peft import PeftModel
    from transformers import PreTrainedTokenizerBase

    from acclimate.core.params import AlignParams, CommonParams

Row = dict[str, Any]


@dataclass(frozen=True)
class Exchanges:
    """Pairs of answers as texts: of each the prompt as the model sees it, the chosen and the rejected response."""

    training: list[dict[str, str]]
    held_out: list[dict[str, str]]


def exchanges(
    tokenizer: PreTrainedTokenizerBase, rows: Sequence[Row], template: Template, sequence_tokens: int
) -> list[dict[str, str]]:
    """Rows of pairs.jsonl as texts, without those whose prompt leaves no room for an answer."""
    texts = [_exchange(tokenizer, row, template) for row in rows]
    return [text for text in texts if len(tokenizer(text["prompt"])["input_ids"]) < sequence_tokens]


def _exchange(tokenizer: PreTrainedTokenizerBase, row: Row, template: Template) -> dict[str, str]:
    """A pair of pairs.jsonl as texts; a dialogue as it stands, a prompt in the form `template`."""
    if row["dialogue"]:
        prompt, chosen, rejected = row["prompt"], row["chosen"], row["rejected"]
    else:
        better, worse = (turn(template, tokenizer, Pair(row["prompt"], row[which])) for which in ("chosen", "rejected"))
        prompt, chosen, rejected = better.prompt, better.response, worse.response
    return {"prompt": _begun(tokenizer, prompt), "chosen": chosen, "rejected": rejected}


def _begun(tokenizer: PreTrainedTokenizerBase, prompt: str) -> str:
    """`prompt` with the text's beginning exactly once, after the tokenizer has added its own if it does."""
    begin = tokenizer.bos_token
    if begin is None:
        return prompt
    added = tokenizer("a")["input_ids"][0] == tokenizer.bos_token_id
    return ("" if added else begin) + prompt.removeprefix(begin)


class Tuning:
    """A model with a fresh adapter, its pairs as tokens, and what the model without the adapter makes of them."""

    def __init__(
        self,
        adapted: PeftModel,
        tokenizer: PreTrainedTokenizerBase,
        exchanges: Exchanges,
        params: AlignParams,
        common: CommonParams,
    ) -> None:
        self._model = adapted
        self._params = params
        self._trainer = _trainer(adapted, tokenizer, exchanges, params, common)
        self._pairs: list[Row] = self._trainer.train_dataset.to_list()
        self._held_out: list[Row] = self._trainer.eval_dataset.to_list()
        self._order = _order(len(self._pairs), params, common.seed)

    def objective(self) -> Objective:
        """DPO's loss; a step's rows are pairs."""

        def part(step: int, rows: slice) -> torch.Tensor:
            chosen = self._order[step][rows].tolist()
            loss: torch.Tensor = self._trainer.compute_loss(
                self._model, self._batch([self._pairs[place] for place in chosen])
            )
            return loss * (len(chosen) / self._order.shape[1])

        return Objective(steps=len(self._order), rows=self._order.shape[1], loss=part)

    def read(self, start: str, start_files: Sequence[Path]) -> Read:
        """What the objective reads."""
        sizes = [self._tokens(pair) for pair in self._pairs]
        places = self._order.reshape(-1).tolist()
        return Read(
            start=start,
            start_files=start_files,
            data_sha256=digest(iter([repr(self._texts()).encode(), self._order.tobytes()])),
            texts=len(self._pairs),
            tokens=sum(read for read, _ in sizes),
            trained_tokens=sum(sizes[place][0] for place in places),
            learned_tokens=sum(sizes[place][1] for place in places),
        )

    def margins(self) -> NDArray[np.float64]:
        """By how much the reward of the chosen answer exceeds that of the rejected one, [held-out pairs].

        A reward is beta times the logarithm of how much likelier the model finds an answer than its reference does
        (Rafailov et al. 2023, equation 5); before training all are 0.
        """
        import numpy as np
        import torch

        self._model.eval()
        margins: list[NDArray[np.float64]] = []
        with torch.no_grad(), autocast(self._model.device):
            for begin in range(0, len(self._held_out), self._params.batch_sequences):
                batch = self._batch(self._held_out[begin : begin + self._params.batch_sequences])
                chosen, rejected = self._log_probabilities(batch).chunk(2)
                ahead = (chosen - batch["ref_chosen_logps"]) - (rejected - batch["ref_rejected_logps"])
                margins.append(self._params.beta * ahead.double().cpu().numpy())
        return np.concatenate(margins)

    def _log_probabilities(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Of every answer in `batch`, chosen ones first: [2 × pairs], in nats."""
        labels = batch["input_ids"].masked_fill(batch["completion_mask"] == 0, -100)
        inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
        found: torch.Tensor = self._model(**inputs, labels=labels, use_cache=False, fused_lm_head=True).log_probs
        return found.float().sum(dim=1)

    def _batch(self, pairs: Sequence[Row]) -> dict[str, torch.Tensor]:
        collated = self._trainer.data_collator(list(pairs))
        return {name: tensor.to(self._model.device) for name, tensor in collated.items()}

    def _texts(self) -> list[tuple[str, ...]]:
        return [tuple(pair[name] for name in ("prompt", "chosen", "rejected")) for pair in self._pairs]

    def _tokens(self, pair: Row) -> tuple[int, int]:
        """Of both sequences: all, and those of the answers, as far as they are read."""
        before, most = len(pair["prompt_ids"]), self._params.sequence_tokens
        answers = [min(len(pair[f"{which}_ids"]), most - before) for which in ("chosen", "rejected")]
        return 2 * before + sum(answers), sum(answers)


def _order(pairs: int, params: AlignParams, seed: int) -> NDArray[np.int64]:
    """Which pairs each step reads, [steps, pairs]: all in a random order, then all in another."""
    import numpy as np

    drawn = np.random.default_rng(seed)
    wanted = params.steps * params.batch_sequences
    epochs: Iterator[NDArray[np.int64]] = (drawn.permutation(pairs) for _ in range(-(-wanted // pairs)))
    return np.concatenate(list(epochs))[:wanted].reshape(params.steps, params.batch_sequences)


def _trainer(
    adapted: PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    exchanges: Exchanges,
    params: AlignParams,
    common: CommonParams,
) -> Any:
    import datasets
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    datasets.disable_progress_bars()
    with TemporaryDirectory() as nothing:  # a Trainer makes its output folder at once; this one writes nothing there
        return DPOTrainer(
            model=adapted,
            args=DPOConfig(
                output_dir=nothing,
                beta=params.beta,
                max_length=params.sequence_tokens,
                precompute_ref_log_probs=True,
                per_device_train_batch_size=params.batch_sequences,
                per_device_eval_batch_size=params.batch_sequences,
                gradient_checkpointing=False,  # it is on already where params.yaml asks for it
                bf16=has_bfloat16(adapted.device),
                use_cpu=adapted.device.type == "cpu",
                seed=common.seed,
                report_to="none",
                disable_tqdm=True,
                dataloader_pin_memory=False,
            ),
            train_dataset=Dataset.from_list(exchanges.training),
            eval_dataset=Dataset.from_list(exchanges.held_out),
            processing_class=tokenizer,
        )
