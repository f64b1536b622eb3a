"""How likely a causal language model finds token sequences: the arithmetic under every score.

    choice_log_likelihoods(model, [Choices(context=[0, 17, 4], continuations=[[9, 2], [31, 2]])], batch_items=16)
    # [[-3.1, -7.4]]

All values are natural logarithms, summed in float64 over float32 log-probabilities. Items are batched
with others of their length, so that little is computed on padding, and returned in the order given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from acclimate.core.progress import progress

if TYPE_CHECKING:
    import torch

    Model = Any
    """A transformers causal language model; its classes carry no types we could check."""


@dataclass(frozen=True)
class Choices:
    """One context and the alternative ways to go on from it, as token ids.

    The context holds at least two tokens (the beginning-of-text token and one more); no continuation is empty.
    """

    context: list[int]
    continuations: list[list[int]]


def choice_log_likelihoods(model: Model, items: Sequence[Choices], *, batch_items: int) -> list[list[float]]:
    """Total log-likelihood of every continuation given its context, in nats.

    The context is read once and its attention cache shared by all continuations: with four choices and
    contexts three times as long as what follows, that is less than half the tokens.

    Raises:
        AssertionError: if an item breaks the conditions stated at Choices, or two items of one call
            have different numbers of continuations.
    """
    import torch

    assert all(len(item.context) > 1 and all(item.continuations) for item in items), "empty context or continuation"
    assert len({len(item.continuations) for item in items}) <= 1, "items with different numbers of choices"
    lengths = [(len(item.context), max(map(len, item.continuations))) for item in items]
    scores: list[list[float]] = [[] for _ in items]
    with torch.inference_mode():
        for batch in progress(_batches(lengths, batch_items), "scoring choices", unit="batch"):
            for index, values in zip(batch, _one_batch_of_choices(model, [items[i] for i in batch]), strict=True):
                scores[index] = values
    return scores


def window_log_likelihoods(
    model: Model, windows: Sequence[tuple[list[int], list[int]]], *, batch_items: int
) -> list[float]:
    """Log-likelihood of the second part of every window given the first, in nats; neither part is empty."""
    import torch

    scores = [0.0] * len(windows)
    with torch.inference_mode():
        lengths = [len(given) + len(target) for given, target in windows]
        for batch in progress(_batches(lengths, batch_items), "scoring texts", unit="batch"):
            tokens, real = _right_padded([[*windows[i][0], *windows[i][1]] for i in batch], model.device)
            given = torch.tensor([len(windows[i][0]) for i in batch], device=model.device).unsqueeze(1)
            scored = real & (torch.arange(tokens.shape[1], device=model.device) >= given)
            logits = model(input_ids=tokens[:, :-1], use_cache=False).logits
            values = _sum_log_probabilities(logits, tokens[:, 1:], scored[:, 1:])
            for index, value in zip(batch, values, strict=True):
                scores[index] = value
    return scores


def _one_batch_of_choices(model: Model, items: list[Choices]) -> list[list[float]]:
    """Scores [batch][choice]: contexts through the model once, then every continuation on their cache.

    The last token of a context goes in front of its continuations instead, because its output predicts
    their first token. The gap that padding leaves between context and continuation is masked, and
    positions are counted without it.
    """
    import torch

    choices = len(items[0].continuations)
    contexts, seen = _right_padded([item.context[:-1] for item in items], model.device)
    cache = model(input_ids=contexts, use_cache=True, logits_to_keep=1).past_key_values
    cache.batch_repeat_interleave(choices)
    sequences = [[item.context[-1], *continuation] for item in items for continuation in item.continuations]
    tokens, real = _right_padded(sequences, model.device)
    seen = seen.repeat_interleave(choices, dim=0)
    positions = seen.sum(dim=1, keepdim=True) + torch.arange(tokens.shape[1] - 1, device=model.device)
    logits = model(
        input_ids=tokens[:, :-1],
        attention_mask=torch.cat([seen, torch.ones_like(tokens[:, :-1], dtype=torch.bool)], dim=1).long(),
        position_ids=positions,
        past_key_values=cache,
        use_cache=True,
    ).logits
    values = _sum_log_probabilities(logits, tokens[:, 1:], real[:, 1:])
    return [values[start : start + choices] for start in range(0, len(values), choices)]


def _sum_log_probabilities(logits: torch.Tensor, targets: torch.Tensor, scored: torch.Tensor) -> list[float]:
    """Log-probability of `targets` [batch, seq] under `logits` [batch, seq, vocab], summed where `scored`."""
    logits = logits.float()
    chosen = logits.gather(2, targets.unsqueeze(2)).squeeze(2)
    # log softmax at one index needs only the normaliser, not a second tensor of the size of the logits.
    values = (chosen - logits.logsumexp(dim=2)).double() * scored
    sums: list[float] = values.sum(dim=1).tolist()
    return sums


def _right_padded(sequences: Sequence[list[int]], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids [batch, longest] filled up with 0, and a mask of the same shape that is true on real tokens."""
    import torch

    lengths = torch.tensor([len(sequence) for sequence in sequences], device=device)
    longest = int(lengths.max())
    rows = [sequence + [0] * (longest - len(sequence)) for sequence in sequences]
    tokens = torch.tensor(rows, dtype=torch.long, device=device)
    return tokens, torch.arange(longest, device=device) < lengths.unsqueeze(1)


def _batches(lengths: Sequence[Any], size: int) -> list[list[int]]:
    """Indices in groups of at most `size`, longest first, so that memory runs out at once or never."""
    order = sorted(range(len(lengths)), key=lambda index: (lengths[index], index), reverse=True)
    return [order[start : start + size] for start in range(0, len(order), size)]
