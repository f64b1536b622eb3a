"""Examples cut and packed into rows of equal length, and the rows into steps.

packed_stream(documents, shape)       raw text: one stream cut anywhere; nothing is padded, nothing wasted
packed_whole(conversations, shape)    pairs: each stands whole in a row, what is left over of it is padded
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from acclimate.model.packing import cut, stream
from acclimate.model.training.texts import Example

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

UNLEARNED = -100
"""The label of a token without a loss: what torch's cross entropy ignores."""


@dataclass(frozen=True)
class Shape:
    """How much is trained on: `steps` × `rows` × `tokens`."""

    steps: int
    rows: int
    """Sequences per step."""
    tokens: int
    """Per sequence."""


@dataclass(frozen=True)
class Batches:
    """Every step's rows, in order; all arrays are [steps, rows, tokens]."""

    ids: NDArray[np.int64]
    labels: NDArray[np.int64]
    """The ids themselves; UNLEARNED where there is no loss. The model shifts them."""
    positions: NDArray[np.int64]
    """Place of each token in its own text: 0 wherever one begins."""
    padding: int
    """Tokens that only fill rows up."""

    @property
    def tokens(self) -> int:
        """Tokens of text."""
        return self.ids.size - self.padding

    @property
    def idle_steps(self) -> int:
        """Steps in which nothing would be learned."""
        return int((~(self.labels[:, :, 1:] != UNLEARNED).any(axis=(1, 2))).sum())

    @property
    def learned(self) -> int:
        """Tokens with a loss; the first of a row is never predicted."""
        return int((self.labels[:, :, 1:] != UNLEARNED).sum())


def packed_stream(examples: Sequence[Example], shape: Shape) -> Batches:
    """Texts one after the other, cut into rows wherever these end; too few of them start again."""
    import numpy as np

    place = (shape.steps * shape.rows, shape.tokens)
    ids = cut(stream([example.ids for example in examples]), place)
    positions = cut(np.concatenate([np.arange(len(example.ids)) for example in examples]), place)
    # What a row continues began in another row, which it does not see: count from the row's beginning.
    positions = positions - np.where(np.cumsum(positions == 0, axis=1) == 0, positions[:, :1], 0)
    whole = (shape.steps, shape.rows, shape.tokens)
    return Batches(ids.reshape(whole), ids.reshape(whole), positions.reshape(whole), 0)


def packed_whole(examples: Iterable[Example], shape: Shape, *, pad: int) -> Batches:
    """Every example whole in one row, in order from step to step; `examples` must not end before the steps do.

    Within a step each goes into the first row with room for it (first fit): which row of its step an example
    stands in does not change the step's gradient. A longer one than a row is cut there.
    """
    import numpy as np

    size = (shape.steps, shape.rows, shape.tokens)
    ids, labels = np.full(size, pad, dtype=np.int64), np.full(size, UNLEARNED, dtype=np.int64)
    positions = np.broadcast_to(np.arange(shape.tokens), size).copy()
    waiting = iter(examples)
    held = next(waiting)
    padding = 0
    for step in range(shape.steps):
        filled = [0] * shape.rows
        while (row := _row_with_room(filled, min(len(held.ids), shape.tokens), shape.tokens)) is not None:
            begin, part = filled[row], held.ids[: shape.tokens]
            end = begin + len(part)
            ids[step, row, begin:end] = part
            # The first token of a text is never predicted: what stands before it has nothing to do with it.
            learned = max(1, held.learned_from)
            labels[step, row, begin + learned : end] = part[learned:]
            positions[step, row, begin:] = np.arange(shape.tokens - begin)
            filled[row] = end
            held = next(waiting)
        padding += shape.rows * shape.tokens - sum(filled)
    return Batches(ids, labels, positions, padding)


def _row_with_room(filled: Sequence[int], needed: int, tokens: int) -> int | None:
    return next((row for row, used in enumerate(filled) if used + needed <= tokens), None)
