"""N-grams that a generated text shares with its reference: ROUGE and BLEU, from their reference libraries.

    rouge(["Return the sorted indices."], ["Return the indices that sort."])    # [{"rouge1": 0.667, …}]
    corpus_bleu(predictions, references)                                        # 0.273

ROUGE is rouge-score's (Lin 2004), F-measure, without stemming; its tokeniser knows ASCII letters and digits only,
so a text in another script scores 0. BLEU is sacrebleu's with its own defaults (Post 2018; Papineni et al. 2002),
here 0-1 and not 0-100.
"""

from __future__ import annotations

from collections.abc import Sequence

ROUGE = ("rouge1", "rouge2", "rougeL")


def rouge(predictions: Sequence[str], references: Sequence[str]) -> list[dict[str, float]]:
    """ROUGE-1, ROUGE-2 and ROUGE-L of each prediction (F-measure, 0-1)."""
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(list(ROUGE))
    return [
        {name: float(value.fmeasure) for name, value in scorer.score(reference, prediction).items()}
        for prediction, reference in zip(predictions, references, strict=True)
    ]


def sentence_bleu(predictions: Sequence[str], references: Sequence[str]) -> list[float]:
    """BLEU of each prediction by itself (0-1), over the n-gram orders that it is long enough for.

    For slices and for pairing with another model; what is published is the BLEU of a corpus, which is no mean of these.
    """
    from sacrebleu.metrics import BLEU

    scorer = BLEU(effective_order=True)
    return [
        float(scorer.sentence_score(prediction, [reference]).score) / 100
        for prediction, reference in zip(predictions, references, strict=True)
    ]


def corpus_bleu(predictions: Sequence[str], references: Sequence[str]) -> float:
    """BLEU of all predictions together (0-1)."""
    from sacrebleu.metrics import BLEU

    return float(BLEU().corpus_score(list(predictions), [list(references)]).score) / 100
