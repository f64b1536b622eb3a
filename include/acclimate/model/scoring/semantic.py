"""How close a generated text is to its reference in meaning, as the cosine of their vectors.

    similarities(["It sorts."], ["It orders."], embedder("tfidf", references, dial="score.observe.embedder"))

With `tfidf` it is closeness in wording, weighted by rarity, and nothing more: a paraphrase in other words scores
near 0. Only an encoder (embedders.py) sees meaning. Reports name which of the two it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from acclimate.data.contamination.embedders import Embed


def similarities(predictions: Sequence[str], references: Sequence[str], embed: Embed) -> list[float]:
    """Cosine of each prediction and its reference; 0 where either has no word that `embed` knows."""
    ours, theirs = embed(predictions), embed(references)
    products = ours.multiply(theirs) if hasattr(ours, "multiply") else ours * theirs
    values: list[float] = np.asarray(products.sum(axis=1), dtype=float).ravel().tolist()
    return values
