"""Overlaps by words: against comparing every text with every item, and on a benchmark that leaks for real."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.core.params import load
from acclimate.data.contamination.finds import COPY, RULES, Finds
from acclimate.data.contamination.item_overlaps import MIN_WORDS, MOST_ITEMS, SHINGLE_WORDS, ItemIndex
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


def test_of_an_opening_that_all_items_share_no_text_and_no_item_of_its_own_is_lost() -> None:
    number = 10_000
    opening = " ".join(f"open{place}" for place in range(40))
    items = [f"{opening} " + " ".join(f"own{item}x{place}" for place in range(15)) for item in range(number)]
    # Half of the texts have the opening and words of their own, the others hold the end of one item each.
    texts = [f"{opening} text{text} goes on" for text in range(number // 2)]
    texts += [f"text {items[item].removeprefix(opening)} goes on" for item in range(0, number, 2)]
    index = ItemIndex.of(items, number, PARAMS)
    streams = WordStreams.of(texts)
    found = Finds.together([index.finds(streams), index.copies(streams)])
    assert len(found.texts) <= 2 * MOST_ITEMS * number
    assert set(found.texts.tolist()) == set(range(number))
    ends = found.where(found.texts >= number // 2)
    assert ends.items.tolist() == list(range(0, number, 2))
    assert len(index.flags(streams).finds.texts) == number


def test_of_items_that_are_all_alike_a_copy_is_paired_with_a_few_the_most_similar_first() -> None:
    opening = " ".join(f"open{place}" for place in range(60))
    items = [f"{opening} end{item}" for item in range(2_000)]
    streams = WordStreams.of([items[1_234], f"{opening} other"])
    copies = ItemIndex.of(items, len(items), PARAMS).copies(streams)
    assert copies.firsts()[0][1] == copies.firsts()[1][1] == MOST_ITEMS
    assert (copies.items[0], copies.similarities[0]) == (1_234, 1)


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
