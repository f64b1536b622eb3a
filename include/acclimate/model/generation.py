"""What a causal language model writes after prompts, most likely token first: many prompts at a time.

    complete(model, [[0, 17, 4], [0, 9]], stops=[1], max_new_tokens=48, batch_items=16)
    # [[31, 7, 12], [44]]

Greedy, so that a prompt has one answer. Prompts of like length share a batch, padded on the left; a batch runs
until each of its texts has ended. transformers' own generate_batch did 44 tokens per CPU-second on the embedded
model where this did 1,076 (2026-11-20).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from acclimate.core.progress import progress


def complete(
    model: Any, prompts: Sequence[list[int]], *, stops: Sequence[int], max_new_tokens: int, batch_items: int
) -> list[list[int]]:
    """The tokens that `model` adds to each prompt, without the token of `stops` that ends a text.

    Args:
        model: a transformers causal language model in evaluation mode.
        prompts: token ids; none is empty.
        stops: tokens that end a text, the first of which is also what prompts are padded with, unseen.
        max_new_tokens: the most tokens of a completion; prompt and completion together must fit the model.
        batch_items: prompts per forward pass.

    Returns:
        One list of token ids per prompt, in their order; a full-length one was cut.
    """
    import torch

    assert stops, "nothing ends a text"
    assert all(prompts), "an empty prompt"
    order = sorted(range(len(prompts)), key=lambda index: (len(prompts[index]), index), reverse=True)
    batches = [order[start : start + batch_items] for start in range(0, len(order), batch_items)]
    completions: list[list[int]] = [[] for _ in prompts]
    for batch in progress(batches, "generating", unit="batch"):
        longest = len(prompts[batch[0]])
        padding = [longest - len(prompts[index]) for index in batch]
        tokens = [[stops[0]] * pad + prompts[index] for pad, index in zip(padding, batch, strict=True)]
        mask = [[0] * pad + [1] * (longest - pad) for pad in padding]
        with torch.inference_mode():
            written = model.generate(
                input_ids=torch.tensor(tokens, device=model.device),
                attention_mask=torch.tensor(mask, device=model.device),
                max_new_tokens=max_new_tokens,
                do_sample=False,
                eos_token_id=list(stops),
                pad_token_id=stops[0],
            )
        for index, row in zip(batch, written[:, longest:].tolist(), strict=True):
            completions[index] = row[: next((place for place, token in enumerate(row) if token in stops), len(row))]
    return completions


def mark_tokens(tokenizer: Any, marks: Sequence[str]) -> list[int]:
    """The tokens of those `marks` that are one token each: a model that writes one has ended its answer."""
    known = tokenizer.get_vocab()
    return [known[mark] for mark in marks if mark in known]
