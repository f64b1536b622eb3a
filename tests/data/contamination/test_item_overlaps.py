"""Overlaps by words: against comparing every text with every item, and on a benchmark that leaks for real."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.core.params import load
from acclimate.data.contamination.item_overlaps import COPY, MIN_WORDS, RULES, SHINGLE_WORDS, Finds, ItemIndex
from acclimate.data.similarity.words import WordStreams, words

CHECKOUT = Path(__file__).parents[3]
OPENBOOKQA = CHECKOUT.parent / "shared/data/general/openbookqa"
PARAMS = load(CHECKOUT / "params.yaml").decontaminate
SMALL = PARAMS.model_copy(update={"drop_words": 7, "flag_words": 6, "near_duplicate": 0.5})
TEXTS = st.lists(st.lists(st.sampled_from("abc"), max_size=14).map(" ".join), max_size=5)


def _runs(text: str, n: int) -> set[tuple[str, ...]]:
    found = words(text)
    return {tuple(found[start : start + n]) for start in range(len(found) - n + 1)}


def _by_hand(text: str, item: str) -> bool:
    needed = min(len(words(item)), SMALL.drop_words)
    return needed >= MIN_WORDS and bool(_runs(text, needed) & _runs(item, needed))


def _jaccard(text: str, item: str) -> float:
    left, right = (_runs(one, SHINGLE_WORDS) or {tuple(words(one))} - {()} for one in (text, item))
    short = min(len(words(text)), len(words(item))) < SHINGLE_WORDS
    if short and len(words(text)) != len(words(item)):
        return 0.0
    return len(left & right) / max(1, len(left | right))


@given(TEXTS, TEXTS)
@settings(max_examples=60, deadline=None)
def test_passages_short_items_and_copies_are_what_comparing_all_pairs_finds(texts: list[str], items: list[str]) -> None:
    index = ItemIndex.of(items, len(items), SMALL)
    streams = WordStreams.of(texts)
    found = index.finds(streams)
    pairs = [(text, item) for text in range(len(texts)) for item in range(len(items))]
    assert sorted(zip(found.texts.tolist(), found.items.tolist(), strict=True)) == [
        (text, item) for text, item in pairs if _by_hand(texts[text], items[item])
    ]
    copies = index.copies(streams)
    assert {(text, item): score for text, item, score in _rows(copies)} == {
        (text, item): pytest.approx(score)
        for text, item in pairs
        if (score := _jaccard(texts[text], items[item])) >= SMALL.near_duplicate
    }
    assert set(copies.rules.tolist()) <= {RULES.index(COPY)}


def _rows(finds: Finds) -> list[tuple[int, int, float]]:
    return list(zip(finds.texts.tolist(), finds.items.tolist(), finds.similarities.tolist(), strict=True))


@given(TEXTS, TEXTS, st.integers(1, 3))
@settings(max_examples=30, deadline=None)
def test_only_validation_passages_in_few_texts_count(texts: list[str], items: list[str], few: int) -> None:
    index = ItemIndex.of(items, 0, SMALL).without_boilerplate([WordStreams.of([text]) for text in texts], few)
    found = index.finds(WordStreams.of(texts))
    expected = []
    for text in range(len(texts)):
        for item in range(len(items)):
            needed = min(len(words(items[item])), SMALL.drop_words)
            common = _runs(texts[text], needed) & _runs(items[item], needed) if needed >= MIN_WORDS else set()
            if any(sum(run in _runs(other, needed) for other in texts) < few for run in common):
                expected.append((text, item))
    assert sorted((text, item) for text, item, _ in _rows(found)) == expected


def test_the_first_find_of_a_text_is_by_rule_then_similarity_and_items_are_counted_once() -> None:
    index = ItemIndex.of(["a b c d e f g h", "a b c d e"], 2, SMALL)
    streams = WordStreams.of(["nothing", "a b c d e f g h"])
    finds = Finds.together([index.copies(streams), index.finds(streams)])
    assert finds.firsts() == {1: (0, 2)}
    assert (finds.items[0], RULES[finds.rules[0]]) == (0, RULES[0])


@pytest.mark.skipif(not OPENBOOKQA.exists(), reason="the shared data sets are not beside this checkout")
def test_the_23_test_questions_that_stand_in_openbookqas_own_training_questions_are_found() -> None:
    train, test = (
        [json.loads(line)["question"]["stem"] for line in (OPENBOOKQA / f"{name}.jsonl").open(encoding="utf-8")]
        for name in ("train", "test")
    )
    index = ItemIndex.of(test, len(test), PARAMS)
    streams = WordStreams.of(train)
    same = {tuple(words(stem)) for stem in train}
    leaked = {item for item, stem in enumerate(test) if tuple(words(stem)) in same}
    assert len(leaked) == 23
    whole = index.copies(streams)
    assert set(whole.items[whole.similarities == 1].tolist()) == leaked
    assert leaked <= set(Finds.together([index.finds(streams), whole]).items.tolist())
