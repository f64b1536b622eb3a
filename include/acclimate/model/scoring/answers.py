"""Every metric of generated answers against their references, one row per answer.

measure(["Pool.join"], ["Pool.join waits."], embedder="tfidf", dial="score.observe.embedder")
# [{"exact_match": 0.0, "token_f1": 0.667, "token_accuracy": 0.5, "rouge1": …, "bleu": …, "similarity": …}]
"""

from __future__ import annotations

from collections.abc import Sequence

from acclimate.data.contamination.embedders import embedder as embedder_of
from acclimate.model.scoring.matching import exact_match, token_accuracy, token_f1
from acclimate.model.scoring.overlap import ROUGE, rouge, sentence_bleu
from acclimate.model.scoring.semantic import similarities

MATCHING = {"exact_match": exact_match, "token_f1": token_f1, "token_accuracy": token_accuracy}
METRICS = (*MATCHING, *ROUGE, "bleu", "similarity")
"""Names of what `measure` gives per answer, all 0-1 but an encoder's similarity, which may be below 0."""


def measure(
    predictions: Sequence[str], references: Sequence[str], *, embedder: str, dial: str
) -> list[dict[str, float]]:
    """The METRICS of each prediction, in order.

    Args:
        predictions: generated answers; an empty one scores 0, not nothing.
        references: the answers to compare them with, as many.
        embedder: `tfidf`, or the folder or hub id of an encoder.
        dial: where in params.yaml the embedder was named, for messages.

    Raises:
        UserError: if the encoder cannot be loaded.
    """
    if not predictions:
        return []
    # Words that only predictions have must be known too, else they would cost nothing; no word is too common to count.
    embed = embedder_of(embedder, [*references, *predictions], max_share=1.0, dial=dial)
    near = similarities(predictions, references, embed)
    overlaps = rouge(predictions, references)
    bleu = sentence_bleu(predictions, references)
    pairs = zip(predictions, references, strict=True)
    return [
        {name: of(*pair) for name, of in MATCHING.items()} | overlaps[n] | {"bleu": bleu[n], "similarity": near[n]}
        for n, pair in enumerate(pairs)
    ]
