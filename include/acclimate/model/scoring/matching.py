"""How far a generated answer is the reference answer, word for word: exact match, token F1, token accuracy.

    token_f1("the sorted indices", "Indices that would sort the array.")     # 0.2857…

Texts are compared as the evaluation script of SQuAD compares them (Rajpurkar et al. 2016, section 6.1): lower
case, without ASCII punctuation and without the English articles, split at white space. No library at hand
holds that script; transformers dropped its copy with version 5.
"""

from __future__ import annotations

import re
import string
from collections import Counter

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalised_tokens(text: str) -> list[str]:
    """The words that count, in order."""
    return _ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split()


def exact_match(prediction: str, reference: str) -> float:
    """1 if both have the same words in the same order, else 0."""
    return float(normalised_tokens(prediction) == normalised_tokens(reference))


def token_f1(prediction: str, reference: str) -> float:
    """Harmonic mean of the shares of predicted and of reference words that the other has too (0-1).

    Where one of the two has no words, 1 if the other has none either (SQuAD 2.0, Rajpurkar et al. 2018).
    """
    predicted, expected = normalised_tokens(prediction), normalised_tokens(reference)
    if not predicted or not expected:
        return float(predicted == expected)
    shared = (Counter(predicted) & Counter(expected)).total()
    return 2 * shared / (len(predicted) + len(expected))


def token_accuracy(prediction: str, reference: str) -> float:
    """Share of positions at which both have the same word, of as many as the longer has (0-1).

    Unlike F1 it asks for the order, and every word too many or too few costs.
    """
    predicted, expected = normalised_tokens(prediction), normalised_tokens(reference)
    if not predicted and not expected:
        return 1.0
    same = sum(ours == theirs for ours, theirs in zip(predicted, expected, strict=False))
    return same / max(len(predicted), len(expected))
