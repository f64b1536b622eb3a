"""The embedded model: a byte-level BPE tokenizer and a small Llama, both made here from general text.

It stands in for a base model where there is no network and no GPU: large enough to learn what a
cloze test can measure, small enough to pre-train in minutes on two cores.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from acclimate.core.errors import UserError
from acclimate.core.progress import progress
from acclimate.model.packing import cut, stream, token_ids
from acclimate.model.precision import autocast

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    import torch
    from numpy.typing import NDArray
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    from acclimate.core.params import BaseParams

BOS, EOS, PAD = "<s>", "</s>", "<pad>"
"""Token ids 0, 1 and 2."""

WARMUP_STEPS = 10
COOLDOWN_SHARE = 0.5
"""The learning rate falls linearly over the last half of the steps: the trapezoid of Hägele et al. 2024."""


def train_tokenizer(texts: Iterable[str], vocabulary: int, sequence_tokens: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer: any text can be written in it, digits stand alone, bos comes first."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[BOS, EOS, PAD],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    bpe.post_processor = processors.TemplateProcessing(single=f"{BOS} $A", special_tokens=[(BOS, 0)])
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe, bos_token=BOS, eos_token=EOS, pad_token=PAD, model_max_length=sequence_tokens
    )


def new_model(params: BaseParams, vocabulary: int) -> LlamaForCausalLM:
    """An untrained Llama with random weights (the seed is the caller's) and tied embeddings."""
    from transformers import LlamaForCausalLM

    return LlamaForCausalLM(new_config(params, vocabulary))


def new_config(params: BaseParams, vocabulary: int) -> LlamaConfig:
    """The shape of the embedded model."""
    from transformers import LlamaConfig

    return LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=params.hidden,
        intermediate_size=3 * params.hidden,  # SwiGLU: three matrices of 3 cost about what two of 4 did
        num_hidden_layers=params.layers,
        num_attention_heads=params.heads,
        num_key_value_heads=params.heads,
        max_position_embeddings=params.sequence_tokens,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
    )


def pretrain(model: LlamaForCausalLM, sequences: NDArray[np.int64], params: BaseParams) -> list[float]:
    """Train `model` in place on `sequences` [steps × batch, tokens] in order; returns the loss of every step.

    Matrices are trained with Muon (Jordan et al. 2024), the rest with AdamW: at this budget it reaches a
    given loss in about half the steps of AdamW alone.

    Raises:
        UserError: if the loss stops being a number.
    """
    import torch

    optimizers = _optimizers(model, params.learning_rate)
    losses: list[float] = []
    model.train()
    batches = sequences.reshape(params.steps, params.batch_sequences, -1)
    for step, rows in enumerate(progress(batches, "pre-training", unit="step", total=params.steps)):
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * trapezoid(step, params.steps)
        ids = torch.from_numpy(rows)
        with autocast(torch.device("cpu")):
            loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        losses.append(_number(loss.item(), step))
    model.eval()
    return losses


def shuffled_epochs(
    tokenizer: PreTrainedTokenizerFast, texts: Sequence[str], shape: tuple[int, int], seed: int
) -> NDArray[np.int64]:
    """Sequences of `shape` [sequences, tokens each] from as many epochs as they need, each in a new order."""
    import numpy as np

    ids = token_ids(tokenizer, texts)
    order = np.random.default_rng(seed)
    needed = math.prod(shape)
    epochs = -(-needed // sum(len(text) for text in ids))
    tokens = [stream([ids[place] for place in order.permutation(len(ids))]) for _ in range(epochs)]
    return cut(np.concatenate(tokens), shape)


def trapezoid(step: int, steps: int) -> float:
    """Share of the peak learning rate at `step` (from 0): short rise, plateau, linear fall to near 0."""
    rise = (step + 1) / WARMUP_STEPS
    fall = 0.02 + (steps - step) / (COOLDOWN_SHARE * steps)
    return min(1.0, rise, fall)


def _optimizers(model: LlamaForCausalLM, learning_rate: float) -> list[torch.optim.Optimizer]:
    import torch

    from acclimate.model.muon import Muon

    # The embedding is a table, not a map: Muon's orthogonal steps are meant for maps.
    matrices = [weight for name, weight in model.named_parameters() if _is_map(name, weight)]
    rest = [weight for name, weight in model.named_parameters() if not _is_map(name, weight)]
    optimizers = [
        Muon(matrices, lr=learning_rate, weight_decay=0.05),
        torch.optim.AdamW(rest, lr=learning_rate, betas=(0.9, 0.95), weight_decay=0.0, fused=True),
    ]
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["peak"] = learning_rate
    return optimizers


def _is_map(name: str, weight: torch.Tensor) -> bool:
    return weight.ndim == 2 and "embed" not in name


def _number(loss: float, step: int) -> float:
    if not math.isfinite(loss):
        raise UserError(
            f"the loss of pre-training became {loss} at step {step + 1}",
            why="every weight after it would be nonsense",
            fix="lower base.learning_rate in params.yaml",
        )
    return loss
