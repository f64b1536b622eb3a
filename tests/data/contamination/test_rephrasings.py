"""Rephrasings: the labelled set of the benchmark, what an item with one shared sentence is worth, and the limits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from acclimate.core.params import load
from acclimate.data.contamination import rephrasings
from acclimate.data.contamination.embedders import embedder
from acclimate.data.contamination.rephrasings import (
    MAX_SENTENCE_WORDS,
    MIN_SENTENCE_WORDS,
    find_rephrasings,
    sample_sentences,
    sentences,
)

CHECKOUT = Path(__file__).parents[3]
PARAMS = load(CHECKOUT / "params.yaml").decontaminate
ROWS = [json.loads(line) for line in (CHECKOUT / "bench/data/rephrasings.jsonl").open(encoding="utf-8")]
ITEMS = sorted({row["item"] for row in ROWS})


def test_the_default_threshold_finds_most_of_the_labelled_rephrasings_and_nothing_else() -> None:
    embed = embedder("tfidf", [*ITEMS, *(row["text"] for row in ROWS)])
    texts = [row["text"] for row in ROWS]
    found = find_rephrasings(enumerate(texts), ITEMS, embed, similarity=PARAMS.similarity, neighbours=5)
    pairs = {(one.text, ITEMS[one.item]) for one in found}
    kinds = [row["kind"] for number, row in enumerate(ROWS) if (number, row["item"]) in pairs]
    assert kinds.count("same topic") == 0
    assert sum(not kind.startswith("translation") for kind in kinds) >= 40
    # Words of another language are other words: only an encoder or a judge can see these.
    assert sum(kind.startswith("translation") for kind in kinds) == 0


def test_sentences_are_neither_short_nor_endless_and_lose_no_word() -> None:
    text = "Yes. No. The kiln is hot now. " + "word " * 200 + "\n\nThe end."
    found = sentences(text)
    assert " ".join(found).split() == text.split()
    lengths = [len(sentence.split()) for sentence in found]
    assert max(lengths) <= MAX_SENTENCE_WORDS
    assert min(lengths[:-1]) >= MIN_SENTENCE_WORDS
    assert sentences(" \n ") == []


ITEM = "The pots glow red inside the kiln. Nobody opens its heavy door before the evening."
SAMPLE = [ITEM, "Rain fell on the roof of the barn all night.", "A train left the station two hours late."]


def _scores(*texts: str, neighbours: int = 5) -> dict[int, float]:
    embed = embedder("tfidf", sample_sentences(SAMPLE))
    found = find_rephrasings(enumerate(texts), [ITEM], embed, similarity=0.4, neighbours=neighbours)
    return {one.text: one.similarity for one in found}


def test_a_text_counts_by_how_much_of_the_item_it_says() -> None:
    scores = _scores(ITEM, "The pots glow red inside the kiln. Rain fell on the roof of the barn.", SAMPLE[1])
    assert scores[0] == pytest.approx(1, abs=1e-3)
    assert scores[1] == pytest.approx(0.5, abs=0.1)
    assert 2 not in scores


def test_other_text_around_a_rephrasing_makes_no_difference() -> None:
    said_again = "Before the evening nobody opens the heavy door of the kiln, where the pots glow red inside."
    alone, embedded = _scores(said_again, f"{SAMPLE[1]} {said_again} {SAMPLE[2]}").values()
    assert embedded == pytest.approx(alone, abs=0.1)


def test_an_item_has_its_most_similar_texts_and_of_equal_ones_the_first() -> None:
    assert list(_scores(SAMPLE[1], ITEM, ITEM, ITEM, neighbours=2)) == [1, 2]


def test_vectors_held_sparsely_and_densely_find_the_same() -> None:
    texts = [row["text"] for row in ROWS]
    sparse = embedder("tfidf", [*ITEMS, *texts])
    finds = [
        find_rephrasings(enumerate(texts), ITEMS, embed, similarity=0.3, neighbours=9)
        for embed in (sparse, lambda some: sparse(some).toarray())
    ]
    assert len(finds[0]) > 60
    assert [(one.text, one.item) for one in finds[0]] == [(one.text, one.item) for one in finds[1]]
    assert [one.similarity for one in finds[0]] == pytest.approx([one.similarity for one in finds[1]], abs=2e-4)


def test_a_text_that_goes_on_from_slice_to_slice_is_one_text(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = _scores(SAMPLE[1], f"{SAMPLE[2]} {ITEM} {SAMPLE[1]}", SAMPLE[2])
    monkeypatch.setattr(rephrasings, "SLICE_BYTES", 1)
    assert _scores(SAMPLE[1], f"{SAMPLE[2]} {ITEM} {SAMPLE[1]}", SAMPLE[2]) == whole
    assert list(whole) == [1]


def test_no_text_and_no_item_rephrase_nothing() -> None:
    embed = embedder("tfidf", SAMPLE)
    assert find_rephrasings([], [ITEM], embed, similarity=0.4, neighbours=5) == []
    assert find_rephrasings([(0, " ")], [ITEM], embed, similarity=0.4, neighbours=5) == []


def test_nothing_to_look_for_finds_nothing() -> None:
    def embed(texts: Sequence[str]) -> object:
        raise AssertionError("nothing is to be embedded")

    for items in ([], ["", "…"]):
        assert find_rephrasings([(0, "A text of some words.")], items, embed, similarity=0.6, neighbours=5) == []
