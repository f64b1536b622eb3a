"""Embedders: rows of length 1, and an encoder from a folder without running what is in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from acclimate.core.errors import UserError
from acclimate.data.contamination.embedders import embedder
from acclimate.data.contamination.rephrasings import find_rephrasings
from acclimate.data.similarity.words import words

TEXTS = ["The pots are fired once.", "Once the pots are fired.", "A train left two hours late.", "!"]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two small layers with random weights: it shows the plumbing, not what a trained one finds."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("encoder")
    letters = [chr(letter) for letter in range(ord("a"), ord("z") + 1)]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "!", *letters, *(f"##{one}" for one in letters)]
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    BertTokenizerFast(vocab_file=str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder, safe_serialization=True)
    return folder


def test_the_same_words_in_another_order_are_the_same_to_tfidf() -> None:
    vectors = embedder("tfidf", TEXTS)(TEXTS).toarray()
    assert vectors[0] @ vectors[1] == pytest.approx(1)
    assert vectors[0] @ vectors[2] < 0.1
    assert not vectors[3].any()


def test_tfidf_is_that_of_words_and_4_grams_without_the_common_ones_whatever_was_embedded_before() -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    def features(text: str) -> list[str]:
        padded = [f" {word} " for word in words(text)]
        return [
            gram for word in padded for gram in (word.strip(), *(word[i : i + 4] for i in range(max(1, len(word) - 3))))
        ]

    sample = [f"{text} {number} of it" for number, text in enumerate(TEXTS * 5)]
    expected = TfidfVectorizer(analyzer=features, sublinear_tf=True, max_df=0.3).fit(sample)
    embed = embedder("tfidf", sample, max_share=0.3)
    for texts in (TEXTS, ["Pots, pots, unheard of", *TEXTS[::-1]]):
        ours, theirs = embed(texts).toarray(), expected.transform(texts).toarray()
        assert ours.shape == theirs.shape
        assert np.allclose(ours @ ours.T, theirs @ theirs.T, atol=1e-5)


def test_an_encoder_gives_the_mean_of_its_tokens_whatever_is_beside_a_text_in_the_batch(encoder: Path) -> None:
    embed = embedder(str(encoder), [])
    together = embed([*TEXTS, "word " * 500])
    assert together.shape == (5, 32)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert np.allclose(embed(TEXTS[:1]), together[:1], atol=1e-5)


def test_an_encoder_finds_an_item_in_itself(encoder: Path) -> None:
    found = find_rephrasings(enumerate(TEXTS), TEXTS[:1], embedder(str(encoder), []), similarity=0.99999, neighbours=1)
    assert [(one.text, one.item) for one in found] == [(0, 0)]


def test_pickled_weights_are_refused(encoder: Path, tmp_path: Path) -> None:
    import shutil

    import torch

    folder = Path(shutil.copytree(encoder, tmp_path / "pickled"))
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(UserError, match="is no encoder that can be loaded"):
        embedder(str(folder), [])


def test_a_name_that_is_neither_folder_nor_model_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"decontaminate\.embedder .* is no encoder"):
        embedder(str(tmp_path), [])
