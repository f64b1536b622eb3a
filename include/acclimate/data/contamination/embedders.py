"""Texts as vectors whose dot product says how alike they are in meaning (cosine, 0–1 for TF-IDF).

    embed = embedder("tfidf", sample_of_sentences)
    embed(["The pots are fired once."]) @ embed(["Once the pots are fired."]).T

`tfidf` counts words and character 4-grams and weighs them by their rarity: it needs nothing but the texts,
sees synonyms only where enough of the other words stay, and no translation. A folder or hub id is a
transformers encoder: the mean of its last hidden states, which is what sentence encoders are trained for
(Reimers, Gurevych 2019, Sentence-BERT, section 3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Sized
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from acclimate.core.errors import UserError
from acclimate.data.similarity.words import WordStreams, words

if TYPE_CHECKING:
    from numpy.typing import NDArray

TFIDF = "tfidf"
MAX_SHARE = 0.1
MAX_KNOWN = 1 << 19
"""Words whose features are remembered: some hundred megabytes."""
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
    """Features are counted here, where no word is taken apart twice; to weigh them is scikit-learn's."""
    from sklearn.feature_extraction.text import TfidfTransformer

    columns: dict[str, int] = {}
    counted = _Counter(lambda feature: columns.setdefault(feature, len(columns)), columns).counts(sample)
    common = np.bincount(counted.indices, minlength=counted.shape[1]) > max_share * counted.shape[0]
    # Of a handful of sentences, each word may be in every tenth of them: then all count.
    if not common.all():
        kept = [feature for feature, column in columns.items() if not common[column]]
        columns = {feature: column for column, feature in enumerate(kept)}
        counted = counted[:, ~common]
    weigh = TfidfTransformer(sublinear_tf=True).fit(counted)
    counter = _Counter(columns.get, columns)

    def embed(texts: Sequence[str]) -> Any:
        return weigh.transform(counter.counts(texts), copy=False)

    return embed


@dataclass(frozen=True)
class _Counter:
    """Counts words and their 4-grams."""

    column_of: Callable[[str], int | None]
    """The column of a feature, None for one that does not count."""
    columns: Sized
    """As long as there are columns, once `column_of` was asked about every feature."""
    known: dict[int, list[int]] = field(default_factory=dict)
    """Hash of a word to the columns of its features."""

    def counts(self, texts: Sequence[str]) -> Any:
        """[texts, features]: how often each stands in each, sparse.

        The product of how often each text has each distinct word, and each word each feature.
        """
        from scipy.sparse import csr_matrix

        streams = WordStreams.of(texts)
        names, firsts, rows = np.unique(streams.hashes, return_index=True, return_inverse=True)
        self._learn(texts, streams, names, firsts)
        features = [self.known[name] for name in names.tolist()]
        starts = np.cumsum([0, *map(len, features)])
        places = np.fromiter(chain.from_iterable(features), dtype=np.int32, count=starts[-1])
        of_texts = (np.ones(len(rows), dtype=np.float32), rows, streams.starts)
        of_words = (np.ones(len(places), dtype=np.float32), places, starts)
        return csr_matrix(of_texts, shape=(len(texts), len(names))) @ csr_matrix(
            of_words, shape=(len(names), max(1, len(self.columns)))
        )

    def _learn(
        self, texts: Sequence[str], streams: WordStreams, names: NDArray[np.uint64], firsts: NDArray[np.int64]
    ) -> None:
        """Take the words apart that were not met before, in the order in which they stand in `texts`."""
        if len(self.known) > MAX_KNOWN:
            self.known.clear()
        new = sorted(
            (first, name) for name, first in zip(names.tolist(), firsts.tolist(), strict=True) if name not in self.known
        )
        text, found = -1, list[str]()
        for place, name in new:
            if place >= streams.starts[text + 1]:
                text = int(np.searchsorted(streams.starts, place, side="right")) - 1
                found = words(texts[text])
            word = found[place - int(streams.starts[text])]
            self.known[name] = [column for one in _features(word) if (column := self.column_of(one)) is not None]


def _features(word: str) -> list[str]:
    """The word, which tells meanings apart, and its 4-grams, which see that 'conducts' is a form of 'conductor'."""
    padded = f" {word} "
    return [word, *(padded[start : start + 4] for start in range(max(1, len(padded) - 3)))]


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
