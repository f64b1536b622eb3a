"""Texts as vectors whose dot product says how alike they are in meaning (cosine, 0–1 for TF-IDF).

    embed = embedder("tfidf", sample_of_sentences)
    embed(["The pots are fired once."]) @ embed(["Once the pots are fired."]).T

`tfidf` counts words and character 4-grams and weighs them by their rarity: it needs nothing but the texts,
sees synonyms only where enough of the other words stay, and no translation. A folder or hub id is a
transformers encoder: the mean of its last hidden states, which is what sentence encoders are trained for
(Reimers, Gurevych 2019, Sentence-BERT, section 3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from acclimate.core.errors import UserError
from acclimate.data.similarity.words import words

TFIDF = "tfidf"
MAX_SHARE = 0.1
BATCH_TEXTS = 64
MAX_TOKENS = 256

Embed = Callable[[Sequence[str]], Any]
"""Texts to [texts, features], a dense or sparse matrix with rows of length 1 (0 for a text without words)."""


def embedder(
    name: str, sample: Sequence[str], *, max_share: float = MAX_SHARE, dial: str = "decontaminate.embedder"
) -> Embed:
    """TF-IDF with the rarities of `sample`, or the encoder in a folder or on the hub.

    Args:
        name: `tfidf`, a folder or a hub id.
        sample: sentences to learn rarities from; an encoder needs none.
        max_share: a word in more than this share of `sample` is left out (0-1): it tells little, and in a search
            would fill the products.
        dial: where in params.yaml `name` comes from, for messages.

    Raises:
        UserError: if there is no such encoder.
    """
    return _tfidf(sample, max_share) if name == TFIDF else _encoder(name, dial)


def _tfidf(sample: Sequence[str], max_share: float) -> Embed:
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(analyzer=_features, sublinear_tf=True, max_df=max_share, dtype=np.float32)
    try:
        vectorizer.fit(sample)
    except ValueError:
        # A handful of sentences, each word in every tenth of them.
        vectorizer = TfidfVectorizer(analyzer=_features, sublinear_tf=True, dtype=np.float32).fit(sample)
    embed: Embed = vectorizer.transform
    return embed


def _features(text: str) -> list[str]:
    """Words, which tell meanings apart, and their 4-grams, which see that 'conducts' is a form of 'conductor'."""
    found = words(text)
    features = list(found)
    for word in found:
        padded = f" {word} "
        features += [padded[start : start + 4] for start in range(max(1, len(padded) - 3))]
    return features


def _encoder(name: str, dial: str) -> Embed:
    import torch
    from transformers import AutoModel, AutoTokenizer

    # Weights as plain numbers only, and no code of the repository: what is fetched cannot run here.
    trusted: dict[str, Any] = {"trust_remote_code": False}
    if Path(name).exists():
        trusted["local_files_only"] = True
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, **trusted)
        model = AutoModel.from_pretrained(name, use_safetensors=True, **trusted).eval()
    except (OSError, ValueError) as fault:
        raise UserError(
            f"{dial} {name!r} is no encoder that can be loaded: {fault}",
            why="texts would not be compared by what they mean",
            fix="name a folder or hub id with config, tokenizer and safetensors, or set it to tfidf",
        ) from None
    limit = min(MAX_TOKENS, model.config.max_position_embeddings)

    @torch.inference_mode()
    def embed(texts: Sequence[str]) -> Any:
        vectors = []
        for start in range(0, len(texts), BATCH_TEXTS):
            batch = list(texts[start : start + BATCH_TEXTS])
            tokens = tokenizer(batch, padding=True, truncation=True, max_length=limit, return_tensors="pt")
            hidden = model(**tokens).last_hidden_state
            mask = tokens["attention_mask"].unsqueeze(-1)
            mean = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1)
            vectors.append(torch.nn.functional.normalize(mean, dim=-1))
        return torch.cat(vectors).float().numpy()

    return embed
