"""Texts as one stream of tokens cut into equal sequences: no padding, nothing wasted on a short text.

pack(tokenizer, ["a text", "another"], (2, 8))     # [[<s>, a, text, </s>, <s>, …], …]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from transformers import PreTrainedTokenizerBase


def token_ids(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[list[int]]:
    """Each text as tokens, begun with the tokenizer's bos (where it has one) and ended with its eos."""
    before = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
    after = [tokenizer.eos_token_id]
    encoded = tokenizer(list(texts), add_special_tokens=False, return_attention_mask=False)["input_ids"]
    return [[*before, *ids, *after] for ids in encoded]


def stream(texts: Sequence[list[int]]) -> NDArray[np.int64]:
    """The texts' tokens one after the other, shape [tokens]."""
    import numpy as np

    return np.concatenate([np.asarray(ids, dtype=np.int64) for ids in texts])


def cut(tokens: NDArray[np.int64], shape: tuple[int, int]) -> NDArray[np.int64]:
    """The stream cut into `shape` = [sequences, tokens each]; a stream that is too short starts again."""
    import numpy as np

    assert len(tokens) > 0, "an empty stream cannot be repeated"
    return np.resize(tokens, shape)


def thinned(losses: Sequence[float], points: int = 40) -> list[list[float]]:
    """A loss curve to draw: at most `points` pairs [last step of the window, mean loss of the window]."""
    width = max(1, -(-len(losses) // points))
    curve: list[list[float]] = []
    for start in range(0, len(losses), width):
        window = losses[start : start + width]
        curve.append([start + len(window), round(sum(window) / len(window), 4)])
    return curve


def final_loss(losses: Sequence[float]) -> float:
    """Mean loss over the last tenth of the steps: one step alone is noise."""
    window = losses[-max(1, len(losses) // 10) :]
    return round(sum(window) / len(window), 4)
