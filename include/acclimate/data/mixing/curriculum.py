"""The order of a training set that is read once, from front to back.

    foundation     half of the replay, the easiest 40 % of the documents, the easiest 10 % of the questions
    domain         a quarter of the replay, the next 50 % of the documents, the next 30 % of the questions
    application    a quarter of the replay, the hardest 10 % of the documents, the hardest 60 % of the questions

Each stage goes from easy to hard (Bengio et al. 2009, Curriculum Learning) with its kinds mixed evenly, and each
holds replay, because what is not replayed towards the end is what the end forgets. The columns sum to 1: the
training set is the same as without a curriculum, only its order is another. Training reads train.jsonl in
order and packs it in order; if the steps of a train stage end before its texts do, the hardest part is what is left
out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from acclimate.data.mixing.candidates import KINDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

STAGES = {
    "foundation": {"domain_documents": 0.4, "domain_questions": 0.1, "general_replay": 0.5},
    "domain": {"domain_documents": 0.5, "domain_questions": 0.3, "general_replay": 0.25},
    "application": {"domain_documents": 0.1, "domain_questions": 0.6, "general_replay": 0.25},
}
"""Stage to the share of each kind's bytes that it gets."""


def progression(
    kinds: NDArray[np.int64], hardness: NDArray[np.float64], sizes: NDArray[np.int64], chances: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The order of the curriculum and every text's stage.

    Args:
        kinds: place in KINDS, [texts].
        hardness: the higher the harder, [texts].
        sizes: bytes, [texts].
        chances: uniform in [0, 1), [texts]: the order of equally hard ones.

    Returns:
        The texts in training order, [texts]; place in STAGES of each text, [texts].
    """
    stages = np.zeros(len(kinds), dtype=np.int64)
    progress = np.zeros(len(kinds))
    for number, kind in enumerate(KINDS):
        rows = np.flatnonzero(kinds == number)
        rows = rows[np.lexsort((chances[rows], hardness[rows]))]
        ends = np.cumsum([shares[kind] for shares in STAGES.values()])
        # The middle of a text decides where it belongs, so that rounding favours no stage.
        middle = (np.cumsum(sizes[rows]) - sizes[rows] / 2) / max(int(sizes[rows].sum()), 1)
        stages[rows] = np.minimum(np.searchsorted(ends, middle, side="right"), len(STAGES) - 1)
        begins = np.concatenate([[0.0], ends[:-1]])[stages[rows]]
        progress[rows] = (middle - begins) / (ends[stages[rows]] - begins)
    return np.lexsort((chances, progress, stages)), stages
